import type { Clock, Lease } from "@inmesh/core";
import type { StatsView } from "@inmesh/core/admin";
import { expect, it } from "vitest";
import type { AdminClient } from "./admin-client.js";
import { readTraffic } from "./traffic.js";

const NO_WAIT = {
  hold(_ms: number, done: () => void) {
    queueMicrotask(done);
    return { cancel() {} };
  },
} as unknown as Clock;
const CALLS = { successes: 0, failures: 0, retries: 0, aborted: 0, replays: 0, inFlight: 0, sumMs: 0 };

/** Counters of one worker of `web` after so many calls to reviews, all of them answered. */
function stats(atMs: number, calls: number): StatsView {
  const reading = { ...CALLS, calls, successes: calls, p50Ms: 1, p95Ms: 1, p99Ms: 1 };
  const host = "reviews.shop.svc.cluster.local";
  const outbound = [{ cluster: "reviews", host, subset: "", stats: reading, cells: [0, calls], endpoints: [] }];
  const inbound = { requests: calls, failures: 0, inFlight: 0, p50Ms: calls, p95Ms: calls, p99Ms: calls };
  return { atMs, service: "web", namespace: "shop", outbound, inbound, unrouted: 0 } as unknown as StatsView;
}

/** Answers each admin address with its readings in turn. */
function clientOf(readings: Readonly<Record<string, StatsView[]>>): AdminClient {
  return {
    addressOf: async ({ admin }: Lease) => admin,
    read: async (admin: string) => readings[admin]?.shift(),
  } as unknown as AdminClient;
}

it("adds up the figures of a service's workers: one edge, one service", async () => {
  const leases = ["a", "b"].map((admin) => ({ service: "web", namespace: "shop", admin }) as unknown as Lease);
  const client = clientOf({ a: [stats(0, 100), stats(1_000, 110)], b: [stats(5_000, 0), stats(6_000, 30)] });
  const signal = new AbortController().signal;
  const { edges, services, servers, failed } = await readTraffic(client, leases, 1_000, { clock: NO_WAIT, signal });
  expect(failed).toEqual([]);
  expect(edges).toMatchObject([{ source: "shop/web", calls: 40, successes: 40, rps: 40, successRatio: 1 }]);
  expect([...services.values()]).toMatchObject([{ calls: 40, rps: 40 }]);
  expect(servers.map(({ requests }) => requests)).toEqual([10, 30]);
});

it("counts a worker that took the place of another from zero", async () => {
  const leases = [{ service: "web", namespace: "shop", admin: "a" } as unknown as Lease];
  const client = clientOf({ a: [stats(0, 100), stats(1_000, 7)] });
  const { edges } = await readTraffic(client, leases, 1_000, { clock: NO_WAIT, signal: new AbortController().signal });
  expect(edges).toMatchObject([{ calls: 7, rps: 7 }]);
});

it("says what of an edge was encrypted, why the rest was not, and who calls in plaintext", async () => {
  const endpoints = (attempts: number) => [
    { id: "a:1", version: "", attempts, failures: 0, plaintext: "" },
    { id: "b:1", version: "", attempts: attempts * 2, failures: 0, plaintext: "b:1 is no member of the mesh" },
    { id: "c:1", version: "", attempts: 7, failures: 0, plaintext: "never used meanwhile" },
  ];
  const reading = (at: number, attempts: number, from?: number): StatsView => {
    const whole = stats(at, attempts);
    const outbound = whole.outbound.map((each) => ({ ...each, endpoints: endpoints(attempts).slice(from) }));
    const callers = [
      { caller: "127.0.0.1 curl/8", secured: false, connections: 1, requests: 4, agoMs: 9 },
      { caller: "cluster.local/ns/shop/sa/front", secured: true, connections: 1, requests: 4, agoMs: 9 },
    ];
    return { ...whole, outbound, security: { callers } } as unknown as StatsView;
  };
  const leases = [{ service: "web", namespace: "shop", admin: "a" } as unknown as Lease];
  const signal = new AbortController().signal;
  const both = clientOf({ a: [reading(0, 1), reading(1_000, 3)] });
  const { edges, plaintextCallers } = await readTraffic(both, leases, 1_000, { clock: NO_WAIT, signal });
  expect(edges).toMatchObject([{ secured: "partly", plaintext: ["b:1 is no member of the mesh"] }]);
  expect(plaintextCallers).toEqual([{ destination: "shop/web", caller: "127.0.0.1 curl/8", requests: 4, agoMs: 9 }]);
  const plain = clientOf({ a: [reading(0, 1, 1), reading(1_000, 3, 1)] });
  expect((await readTraffic(plain, leases, 1_000, { clock: NO_WAIT, signal })).edges).toMatchObject([
    { secured: "no" },
  ]);
  const old = clientOf({ a: [stats(0, 1), stats(1_000, 3)] });
  expect((await readTraffic(old, leases, 1_000, { clock: NO_WAIT, signal })).edges).toMatchObject([{ secured: null }]);
});
