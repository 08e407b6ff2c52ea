/**
 * The idempotent ones of 560 requests under random retry and timeout policies, sent over real sockets to an upstream that
 * fails as scripted, and judged by what real Istio did with them. ../shared/cases/README.md. On a fake network all 560 are:
 * packages/core/src/filter/istio-retries.test.ts.
 */

import { request as send } from "undici";
import { describe, expect, it } from "vitest";
import { readCaseFile, whyMissing } from "../../core/src/testing/recorded-cases.test.helper.js";
import type { MeshDispatcher } from "../src/undici/mesh-dispatcher.js";
import { compiledMesh, serviceEntry } from "./compiled-mesh.js";
import { listen } from "./mesh.js";

interface Case {
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly headers: { readonly "x-oracle-status": string; readonly "x-oracle-delay"?: string };
  };
  readonly expect: { readonly status?: number; readonly brokenOff?: boolean; readonly upstreamRequests: number };
}

interface Group {
  readonly id: string;
  readonly resources: readonly unknown[];
  readonly cases: readonly Case[];
}

const FILE = "istio-retries.json";
/**
 * Chance decides some: how long a back-off is, and with it whether a timeout comes first; and a busy machine is late. One of
 * so many runs must agree, all but the first of them one group after the other.
 */
const RUNS = 25;
/** Most of the time passes in delays of the upstream's. */
const GROUPS_AT_A_TIME = 8;

describe("retries and timeouts over real sockets, beside real Istio", () => {
  it("gives the caller what Istio gave it, after as many requests to the upstream", {
    timeout: 240_000,
  }, async (context) => {
    const missing = whyMissing(FILE);
    if (missing !== undefined) return context.skip(missing);
    await using upstream = await scriptedUpstream();
    const judge = async ({ id, resources, cases }: Group, run: number): Promise<Case[]> => {
      await using client = compiledMesh([serviceEntry("pay", [upstream.port]), ...resources]);
      const found = await Promise.all(
        cases.map((each, index) => play(client.dispatcher, upstream, each, `${id}/${index}/${run}`)),
      );
      return cases.filter((each, index) => JSON.stringify(found[index]) !== JSON.stringify(each.expect));
    };
    const groups = readCaseFile<{ readonly groups: readonly Group[] }>(FILE).groups.map((group) => ({
      ...group,
      cases: group.cases.filter(({ request }) => request.method !== "POST"),
    }));
    const left = [...groups];
    const doubtful: Group[] = [];
    const work = async (): Promise<void> => {
      for (let group = left.shift(); group !== undefined; group = left.shift()) {
        const cases = await judge(group, 0);
        if (cases.length > 0) doubtful.push({ ...group, cases });
      }
    };
    await Promise.all(Array.from({ length: GROUPS_AT_A_TIME }, work));
    const wrong: Group[] = [];
    for (let group of doubtful) {
      for (let run = 1; run < RUNS && group.cases.length > 0; run++)
        group = { ...group, cases: await judge(group, run) };
      if (group.cases.length > 0) wrong.push(group);
    }
    expect(wrong).toEqual([]);
    expect(groups.reduce((sum, { cases }) => sum + cases.length, 0)).toBe(471);
  });
});

async function play(
  dispatcher: MeshDispatcher,
  upstream: { readonly asked: ReadonlyMap<string, number> },
  { request: { method, path, headers } }: Case,
  id: string,
): Promise<Case["expect"]> {
  const answer = await send(`http://pay.shop.svc.cluster.local${path}`, {
    method: method as "GET",
    headers: { ...headers, "x-case": id },
    dispatcher,
  });
  const broken = await answer.body.text().then(
    () => false,
    () => true,
  );
  const upstreamRequests = upstream.asked.get(id) ?? 0;
  return broken ? { brokenOff: true, upstreamRequests } : { status: answer.statusCode, upstreamRequests };
}

/** Answers by the script in the request's headers; counts what each case asked of it. */
async function scriptedUpstream() {
  const asked = new Map<string, number>();
  const server = await listen((request, response) => {
    const id = String(request.headers["x-case"]);
    const nth = asked.get(id) ?? 0;
    asked.set(id, nth + 1);
    const at = (name: string) => {
      const steps = String(request.headers[name] ?? "0").split(",");
      return steps[nth] ?? steps.at(-1)!; // not empty
    };
    const status = at("x-oracle-status");
    setTimeout(
      () => {
        if (status === "reset") return request.socket.destroy();
        // A connection for each: a reset on one that had served before is replayed, which a sidecar does not do.
        response.shouldKeepAlive = false;
        if (status !== "cut") return response.writeHead(Number(status)).end("body");
        response.writeHead(200, { "content-length": "1000" }).write("the beginning", () => request.socket.destroy());
      },
      Number(at("x-oracle-delay")),
    );
  });
  return { port: server.port, asked, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}
