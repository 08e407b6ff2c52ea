/**
 * Nothing of what callers write stays: 100,000 calls and requests with paths, hosts and users of chance leave as many label sets as
 * before, and no more memory (pitfalls O8).
 */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Call, type Exchange, type OutcomeRecord, seededRandom, type TimeLedger } from "@inmesh/core";
import { testEngine } from "@inmesh/core/testing";
import { MeshMetrics, PeerMetadata, workloadLabels } from "@inmesh/telemetry";
import { jsonLines } from "@inmesh/telemetry/access-log";
import { expect, it } from "vitest";

const REQUESTS = 100_000;
const MOST_MB = 2;

it("keeps label sets and memory flat over 100,000 requests with random paths, hosts and users", async () => {
  const random = seededRandom(4);
  const word = (): string => random.int(2 ** 31).toString(36);
  const { engine, clock } = testEngine({ clusters: { reviews: ["10.0.0.1:80", "10.0.0.2:80"] } });
  const metrics = new MeshMetrics({
    self: workloadLabels({ app: "cart" }, "cart", "shop"),
    service: { host: () => "cart.shop.svc.cluster.local", name: "cart", namespace: "shop" },
    ...{ principal: () => "", peers: { version: 1, find: () => undefined }, metadata: new PeerMetadata() },
    ...{ maxSeries: undefined, now: () => clock.now(), collectors: [] },
  });
  const line = jsonLines({ service: "cart.shop", workload: "cart-1", query: false });
  let written = 0;
  engine.sinks.add(engine.recorder);
  engine.sinks.add(engine.codeRoutes);
  engine.sinks.add(metrics);
  engine.sinks.add({
    ended: (outcome) => {
      written += line(outcome).length;
    },
  });
  const request = (): void => {
    const [path, host, user] = [`/${word()}/${word()}?q=${word()}`, `${word()}.example`, word()];
    const headers = ["x-user", user, "user-agent", user, "x-request-id", word(), "host", host];
    // A call whose authority is anybody's, and a request that was served.
    engine.start(new Call(ANSWERED, "GET", "http", "reviews", 80, host, path, headers));
    if (random.int(100) === 0) clock.advance(1_000);
    const method = random.int(10) === 0 ? word().toUpperCase() : "GET";
    engine.sinks.ended(served({ method, path, authority: host, requestId: word() }, user));
  };
  const series = (): number => [...metrics.read()].join("").split("\n").length;
  for (let times = 0; times < REQUESTS / 10; times++) request();
  const [seriesBefore, heapBefore] = [series(), heapMb()];
  for (let times = 0; times < REQUESTS; times++) request();
  const [seriesAfter, heapAfter] = [series(), heapMb()];
  console.log(`series ${seriesBefore} -> ${seriesAfter}, heap ${heapBefore.toFixed(1)} -> ${heapAfter.toFixed(1)} MB`);
  expect(written).toBeGreaterThan(REQUESTS);
  expect(seriesAfter).toBe(seriesBefore);
  expect(heapAfter - heapBefore).toBeLessThan(MOST_MB);
}, 120_000);

/** Answers 200 at once, and keeps nothing. */
const ANSWERED: Exchange = {
  send(attempt) {
    attempt.started(true, () => {});
    attempt.head(200, () => undefined);
    attempt.complete();
  },
  canReplay: () => true,
  passThrough() {},
  reply() {},
  fail(error) {
    throw error;
  },
};

const LEDGER: TimeLedger = {
  ...{ meshMs: 0, faultMs: 0, queueMs: 0, dnsMs: 0, connectMs: 0, tlsMs: 0, waitMs: 1, bodyMs: 0, backoffMs: 0 },
  stallMs: 0,
};

/** A request that came in, as whoever serves it tells of it. */
function served(of: Pick<OutcomeRecord, "method" | "path" | "authority" | "requestId">, user: string): OutcomeRecord {
  return {
    ...{ direction: "inbound", wallMs: 0, startedAt: 0, readyAt: 0, headAt: 1, endedAt: 1, query: "", scheme: "http" },
    ...{ protocol: "HTTP/1.1", status: 200, grpcStatus: -1, flags: 0, details: "via_upstream", code: "", message: "" },
    ...{ requestBytes: 0, responseBytes: 2, requestMessages: 0, responseMessages: 0, traceId: "", spanId: "" },
    ...{ sampled: false, span: undefined, attempts: [], attemptCount: 0, ledger: LEDGER, noRetry: "", peer: undefined },
    ...{ peerWorkload: "", mtls: false, localAddress: "", remoteAddress: "", httpRoute: "", snapshot: 1, policy: "" },
    ...of,
    ...{ requestHeader: () => user, responseHeader: () => undefined },
  } as unknown as OutcomeRecord;
}

setFlagsFromString("--expose-gc");
const gc = runInNewContext("gc") as () => void;

function heapMb(): number {
  for (let times = 0; times < 3; times++) gc();
  return process.memoryUsage().heapUsed / 2 ** 20;
}
