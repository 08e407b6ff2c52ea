/** Expressions that make a backtracking engine try for ever, against 50 kB, in every place where policy may have one. */

import { monitorEventLoopDelay } from "node:perf_hooks";
import { Engine, SnapshotStore } from "@inmesh/core";
import { compile, parseDocuments, validateDocument } from "@inmesh/model";
import { afterAll, expect, it } from "vitest";
import { MeshDispatcher } from "../src/index.js";

const HOSTILE = "(a+)+$";
const LONG = `${"a".repeat(50_000)}!`;
/** A backtracking engine would need 2^50,000 steps; this is only the difference between that and an end, in ms. */
const FREE_MS = 2_000;

const said = (string: string) => ({ directResponse: { status: 200, body: { string } } });

const POLICY = {
  apiVersion: "networking.istio.io/v1",
  kind: "VirtualService",
  metadata: { name: "hostile", namespace: "shop" },
  spec: {
    hosts: ["hostile.example"],
    http: [
      { match: [{ uri: { regex: `/path/${HOSTILE}` } }], ...said("path") },
      { match: [{ headers: { "x-a": { regex: HOSTILE } } }], ...said("header") },
      { match: [{ withoutHeaders: { "x-b": { regex: `!|${HOSTILE}` } }, headers: { "x-b": {} } }], ...said("without") },
      { match: [{ queryParams: { q: { regex: HOSTILE } } }], ...said("query") },
      { match: [{ authority: { regex: HOSTILE } }], ...said("authority") },
      { corsPolicy: { allowOrigins: [{ regex: HOSTILE }] }, ...said("none") },
    ],
  },
};

const store = new SnapshotStore();
const engine = new Engine({ store });
const dispatcher = new MeshDispatcher({ engine });

afterAll(async () => {
  await dispatcher.destroy();
  engine.close();
});

it.each([
  ["a path", `/path/${LONG}`, {}, "none"],
  ["a header", "/", { "x-a": LONG }, "none"],
  ["an absent header", "/", { "x-b": LONG }, "without"],
  ["a query parameter", `/?q=${LONG}`, {}, "none"],
  ["an origin", "/", { origin: LONG }, "none"],
] as const)("leaves the event loop free: %s", async (_, path, headers, expected) => {
  const { resource } = validateDocument(parseDocuments(JSON.stringify(POLICY), { file: "p.yaml" }).documents[0]!);
  const client = { namespace: "shop", service: "web", labels: {} };
  store.publish(compile({ resources: [resource!], workloads: [], client, problems: [], version: store.nextVersion }));
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const answer = await dispatcher.request({ origin: "http://hostile.example", path, method: "GET", headers });
  expect(await answer.body.text()).toBe(expected);
  delay.disable();
  expect(delay.max / 1e6).toBeLessThan(FREE_MS);
});
