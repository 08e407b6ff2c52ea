import type { AttemptRecord, OutcomeRecord } from "@inmesh/core";
import { seededRandom } from "@inmesh/core";
import { expect, it } from "vitest";
import { entryOf } from "./entry.js";
import { REDACTED } from "./fields.js";
import { jsonLines } from "./json-line.js";
import { NO_TIME, record } from "./testing/record.js";

const CONTEXT = { service: "cart.shop", workload: "cart-1", query: false };
const jsonLine = jsonLines(CONTEXT);

it("is the entry, byte for byte, whatever a record holds", () => {
  const random = seededRandom(20_261_128);
  const pick = <Value>(...values: readonly Value[]): Value => values[random.int(values.length)]!; // never empty
  const word = (): string =>
    pick(
      "",
      "plain",
      'a "quoted" \\ one',
      "line\nbreak\u2028",
      "\ud800 alone",
      "żółć 👋",
      "x".repeat(5_000),
      "\u0000\u007f",
    );
  for (let round = 0; round < 500; round++) {
    const attempt = (number: number): AttemptRecord => ({
      number,
      endpoint: { endpoint: { id: `10.0.0.${number}:80` } } as AttemptRecord["endpoint"],
      ...{
        startedAt: 0,
        sentAt: 0,
        headAt: 0,
        endedAt: random.next() * 50,
        status: pick(0, 503),
        grpcStatus: pick(-1, 0, 14),
        code: "",
        outcome: pick("reset", "refused"),
      },
      ...{ reused: false, ledger: { ...NO_TIME, waitMs: random.next() } },
    });
    const cluster = {
      config: {
        name: word(),
        host: "h",
        subset: word(),
        policy: { tls: { sni: word() } },
        service: { name: pick("", "reviews"), namespace: "shop" },
      },
    };
    const some = record({
      direction: pick("inbound", "outbound"),
      ...{
        method: pick("GET", word()),
        path: word(),
        authority: word(),
        protocol: word(),
        details: word(),
        message: word(),
      },
      ...{
        status: pick(0, 200, 503),
        grpcStatus: pick(-1, 0, 14),
        code: pick("", "CONNECT_FAILED", "TIMEOUT"),
        flags: 0,
      },
      ...{
        endedAt: 1_000 + random.next() * 100,
        requestId: word(),
        traceId: word(),
        spanId: word(),
        mtls: pick(true, false),
      },
      ...{
        localAddress: word(),
        remoteAddress: word(),
        httpRoute: word(),
        policy: word(),
        attemptCount: pick(0, 1, 3),
      },
      attempts: pick([], [attempt(1)], [attempt(1), attempt(2)]),
      ledger: { ...NO_TIME, waitMs: random.next() * 10, bodyMs: pick(0, 0.0001, -0.00001, 3), stallMs: pick(0, 7) },
      ...(pick(true, false) && { cluster: cluster as unknown as OutcomeRecord["cluster"] }),
      requestHeaders: { "user-agent": word(), "x-forwarded-for": word() },
      responseHeaders: { "grpc-message": word() },
    });
    expect(jsonLine(some)).toBe(`${JSON.stringify(entryOf(some, CONTEXT))}\n`);
  }
});

it("drops the query, unless it is asked for", () => {
  expect(entryOf(record(), CONTEXT).path).toBe("/api/reviews/42");
  expect(entryOf(record(), { ...CONTEXT, query: true }).path).toBe("/api/reviews/42?token=abc");
});

it("tells each attempt, and why the last one was none", () => {
  const attempt = (id: string, endedAt: number, status: number, outcome: string) =>
    ({
      endpoint: { endpoint: { id } },
      startedAt: 0,
      endedAt,
      status,
      outcome,
      ledger: NO_TIME,
    }) as unknown as AttemptRecord;
  const attempts = [attempt("10.1.0.7:9080", 12, 0, "reset"), attempt("10.1.0.9:9080", 21, 200, "answered 200")];
  const line = JSON.parse(jsonLine(record({ attempts, attemptCount: 2 })));
  expect(line).toMatchObject({
    duration: 41,
    duration_us: 41_250,
    ttfb_ms: 31.25,
    timing: { mesh: 0.25, wait: 31, body: 10 },
    attempts: 2,
    attempt_log: [
      { endpoint: "10.1.0.7:9080", ms: 12, result: "reset" },
      { endpoint: "10.1.0.9:9080", ms: 21, result: "200" },
    ],
  });
});

it("keeps a record of a request that was served apart from a call", () => {
  const served = entryOf(
    record({ direction: "inbound", localAddress: "127.0.0.1:9080", remoteAddress: "127.0.0.1:5" }),
    CONTEXT,
  );
  expect(served).toMatchObject({
    upstream_cluster: "inbound|9080||",
    downstream_local_address: "127.0.0.1:9080",
    downstream_remote_address: "127.0.0.1:5",
    service: "cart.shop",
  });
  expect(served).not.toHaveProperty("attempts");
  expect(REDACTED).toBe("[redacted]");
});
