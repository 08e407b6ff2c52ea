/** The same folder of policy, the same draws, the same load: whoever calls over gRPC meets what a caller over HTTP meets, call by call. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { planeOf } from "../lib/mesh-of.js";
import { type Asked, type Heard, sums, Twin } from "./twin.js";

const SEED = 20;
const CALLS = 200;
/** The last ones, to endpoints of v2 that fail: seven failures in a row put one out. */
const SICK = 12;

const closing: (() => unknown)[] = [];
let http: Twin;
let grpc: Twin;
let heard: readonly [http: readonly Heard[], grpc: readonly Heard[]];

function load(): readonly Asked[] {
  return Array.from({ length: CALLS + SICK }, (_, number) => {
    const method = number >= CALLS ? "Get" : number % 20 === 7 ? "Delete" : number % 10 === 3 ? "Search" : "Get";
    const user = number % 4 === 1 && { user: "ann" };
    const sick = number >= CALLS && { "x-sick": "yes" };
    return { method, headers: { "x-number": String(number), ...user, ...sick } };
  });
}

async function hear(twin: Twin): Promise<Heard[]> {
  const all: Heard[] = [];
  for (const asked of load()) all.push(await twin.ask(asked)); // one by one: draws come in this order
  return all;
}

beforeAll(async () => {
  http = await Twin.start("http", SEED, closing);
  grpc = await Twin.start("grpc", SEED, closing);
  heard = [await hear(http), await hear(grpc)];
});
afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

it("gives each call the same answer, of the same version", () => {
  expect(heard[1]).toEqual(heard[0]);
  // Of everything that policy says, some: else nothing was compared.
  const got = new Set(heard[0].map(({ code, by }) => `${code}${by}`));
  expect([...got].sort()).toEqual(["0v1", "0v2", "14", "14v1", "14v2", "7", "8"]);
});

it("sends the same attempts to the same places, with the same headers", () => {
  expect(grpc.served).toEqual(http.served);
  const attempts = Object.values(http.served).flat();
  expect(new Set(attempts).size).toBeLessThan(attempts.length); // some calls were tried again
  expect(http.served["v2"]?.some((line) => line.endsWith(" for-ann"))).toBe(true);
  expect(http.served["v1"]?.some((line) => line.endsWith(" for-ann"))).toBe(false);
});

it("divides calls as the rule says", () => {
  const split = [...http.served["v1"]!, ...http.served["v2"]!].filter((line) => line.endsWith(" ")).length; // both are there
  const share = http.served["v1"]!.length / (split - SICK);
  expect(share).toBeGreaterThan(0.7);
  expect(share).toBeLessThan(0.9);
});

it("puts an endpoint out after as many failures", () => {
  for (const all of heard)
    expect(all.slice(-SICK).map(({ by }) => by)).toEqual([...Array(7).fill("v2"), ...Array(5).fill("")]);
});

describe("counts the same in Istio's metrics", () => {
  it.each(["source", "destination"] as const)("at the %s", async (reporter) => {
    const of = ({ web, members }: Twin) => (reporter === "source" ? [web] : members);
    const labels = [
      "request_protocol",
      "response_code",
      "grpc_response_status",
      "response_flags",
      "destination_version",
    ];
    const overHttp = await sums(of(http), "istio_requests_total", labels);
    const overGrpc = await sums(of(grpc), "istio_requests_total", labels);
    // As Envoy has it: 200 for all that is gRPC, answers of the mesh's own too, and the status beside it.
    const grpcOf: Record<string, string> = { 200: "0", 403: "7", 429: "8", 503: "14" };
    const expected = Object.entries(overHttp).map(([key, count]) => {
      const [protocol, status = "", , ...others] = key.split(" ");
      expect(protocol).toBe("http");
      return [["grpc", "200", grpcOf[status], ...others].join(" "), count];
    });
    expect(overGrpc).toEqual(Object.fromEntries(expected));
    expect(Object.keys(overHttp).length).toBeGreaterThan(6);
  });

  it("messages of gRPC, which HTTP has none of", async () => {
    const { web, members } = grpc;
    const [attempts, answered] = [
      Object.values(await sums(members, "istio_requests_total", [])),
      await sums(members, "istio_requests_total", ["grpc_response_status"]),
    ];
    expect(await sums(members, "istio_request_messages_total", ["reporter"])).toEqual({ destination: attempts[0] });
    for (const [at, reporter] of [
      [members, "destination"],
      [[web], "source"],
    ] as const) {
      expect(await sums(at, "istio_response_messages_total", ["reporter"])).toEqual({ [reporter]: answered["0"] });
    }
    // One for each call that was sent: of several attempts the last one's counts.
    const sent = heard[1].length - (await unsent(web));
    expect(await sums([web], "istio_request_messages_total", ["reporter"])).toEqual({ source: sent });
    expect(await sums([http.web, ...http.members], "istio_request_messages_total", [])).toEqual({});
  });

  it("attempts, by how they ended", async () => {
    const labels = ["subset", "result"];
    const overHttp = await sums([http.web], "inmesh_upstream_attempts_total", labels);
    expect(await sums([grpc.web], "inmesh_upstream_attempts_total", labels)).toEqual(overHttp);
    expect(overHttp["v1 failure"]).toBeGreaterThan(0);
    const outcomes = await sums([http.web], "inmesh_retries_total", ["outcome"]);
    expect(await sums([grpc.web], "inmesh_retries_total", ["outcome"])).toEqual(outcomes);
    expect(outcomes).toEqual({ success: expect.any(Number), exhausted: expect.any(Number) });
  });

  it("calls, failures and retries of each cluster", () => {
    const stats = ({ web }: Twin) =>
      planeOf(web)
        .engine.clusters.all()
        .map(({ config, stats }) => {
          const { p50Ms, p95Ms, p99Ms, sumMs, ...counts } = stats.read(); // times differ
          return { subset: config.subset, ...counts };
        });
    expect(stats(http).reduce((sum, { failures }) => sum + failures, 0)).toBeGreaterThan(0);
    expect(stats(grpc)).toEqual(stats(http));
  });
});

/** Calls that policy answered before there was an attempt. */
async function unsent(web: Twin["web"]): Promise<number> {
  const flags = await sums([web], "istio_requests_total", ["response_flags"]);
  return (flags["FI"] ?? 0) + (flags["UH"] ?? 0);
}
