/** 4,368 requests to random VirtualServices, judged by what real Istio did with them. ../shared/cases/README.md. */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type ClientContext,
  compile,
  documentFromValue,
  type Resource,
  type Snapshot,
  validateDocument,
} from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { explain } from "./explain.js";
import type { Explanation } from "./explanation.js";
import { WANTED_DIFFERENCES } from "./istio-differences.js";

interface RouteCase {
  readonly request: { method: string; host: string; path: string; headers?: Record<string, string> };
  readonly expect: {
    readonly status?: number;
    readonly host?: string;
    readonly subset?: string;
    readonly upstream?: { method: string; path: string; authority: string; headers: Record<string, string> };
    readonly location?: string;
    readonly body?: string;
    readonly responseHeaders?: Record<string, string>;
    readonly passThrough?: boolean;
  };
}

interface CaseFile {
  readonly services: readonly { host: string; ports?: number[]; subsets?: string[] }[];
  readonly groups: readonly { id: string; resources: unknown[]; cases: RouteCase[] }[];
}

const REPOSITORY = fileURLToPath(new URL("../../../../", import.meta.url));
const { INMESH_CASES, INMESH_SHARED, INMESH_REQUIRE_PEERS } = process.env;
const FILE = join(INMESH_CASES ?? join(INMESH_SHARED ?? join(REPOSITORY, "../shared"), "cases"), "istio-routes.json");

/** The caller of the recording. */
const CLIENT: ClientContext = { namespace: "shop", service: "app", labels: { app: "app" } };
const PORT = 80;

function resourcesOf(values: readonly unknown[]): Resource[] {
  return values
    .flatMap((value) => documentFromValue(value).documents)
    .flatMap((document) => {
      const { resource, problems } = validateDocument(document);
      const errors = problems.filter(({ severity }) => severity === "error");
      if (resource === undefined) throw new Error(`${document.key} is refused: ${JSON.stringify(errors)}`);
      return [resource];
    });
}

/** What the recording ran behind the rules: a ServiceEntry with an endpoint per subset, and the subsets. */
function serviceDocuments({ services }: CaseFile): unknown[] {
  return services.flatMap(({ host, ports = [80], subsets = [] }) => {
    const [name, namespace] = host.split(".");
    const endpoints = (subsets.length > 0 ? subsets : ["v0"]).map((version, index) => ({
      address: `127.0.1.${index + 1}`,
      labels: { version },
    }));
    const apiVersion = "networking.istio.io/v1";
    const metadata = { name, namespace };
    const entry = {
      hosts: [host],
      ports: ports.map((number) => ({ number, name: `http-${number}`, protocol: "HTTP" })),
      location: "MESH_INTERNAL",
      resolution: "STATIC",
      endpoints,
    };
    const rule = { host, subsets: subsets.map((version) => ({ name: version, labels: { version } })) };
    return [
      { apiVersion, kind: "ServiceEntry", metadata, spec: entry },
      { apiVersion, kind: "DestinationRule", metadata, spec: rule },
    ];
  });
}

/** In the recording's own form, so that both can be compared whole. */
function answerOf({ outcome, status, destinations, request, redirect, directResponse, responseHeaders }: Explanation) {
  if (outcome === "passThrough") return { passThrough: true, subset: undefined };
  const added = Object.entries(responseHeaders.add);
  const headers = { ...responseHeaders.set };
  for (const [name, value] of added) headers[name] = headers[name] === undefined ? value : `${headers[name]},${value}`;
  const [destination] = destinations;
  return {
    status: status ?? 200,
    ...(outcome === "route" && { host: destination?.host, upstream: request }),
    subset: destination?.subset || undefined,
    ...(redirect && { location: redirect.location }),
    ...(directResponse?.body && { body: directResponse.body }),
    ...(outcome === "fault" && { body: "fault filter abort" }),
    ...(Object.keys(headers).length > 0 && { responseHeaders: headers }),
  };
}

describe("explain, beside real Istio", () => {
  it("answers every recorded request as Istio did", (context) => {
    if (!existsSync(FILE) && INMESH_REQUIRE_PEERS !== "1") {
      context.skip(`no recorded cases at ${FILE}: set INMESH_CASES to their folder`);
    }
    const file = JSON.parse(readFileSync(FILE, "utf8")) as CaseFile;
    const services = resourcesOf(serviceDocuments(file));
    const wrong: unknown[] = [];
    let judged = 0;
    let snapshot: Snapshot | undefined;
    for (const { id, resources, cases } of file.groups) {
      const all = [...services, ...resourcesOf(resources)];
      snapshot = compile({ resources: all, workloads: [], client: CLIENT, problems: [], version: 1 }, snapshot);
      for (const [index, { request, expect: wanted }] of cases.entries()) {
        if (WANTED_DIFFERENCES.has(`${id}/${index}`)) continue;
        judged += 1;
        const found = answerOf(explain(snapshot, { ...request, port: PORT }));
        // The recording tells which endpoint answered; a route to the whole service leaves that open.
        const subset = found.subset ?? wanted.subset;
        const same = JSON.stringify(sorted({ ...found, subset })) === JSON.stringify(sorted({ subset, ...wanted }));
        if (!same) wrong.push({ case: `${id}/${index}`, request, wanted, found });
      }
    }
    expect({ judged, wrongCount: wrong.length, first: wrong.slice(0, 3) }).toEqual({
      judged: 4_368 - WANTED_DIFFERENCES.size,
      wrongCount: 0,
      first: [],
    });
  });
});

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, part]) => [key, sorted(part)]),
  );
}
