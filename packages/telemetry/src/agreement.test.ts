import {
  type FlagName,
  flagBit,
  MESH_ERRORS,
  type MeshErrorCode,
  type OutcomeRecord,
  seededRandom,
} from "@inmesh/core";
import { outcomeView, tapEvent } from "@inmesh/core/admin";
import { answers, cuts, inTurn, refuses, resets, silent, testEngine } from "@inmesh/core/testing";
import { expect, it } from "vitest";
import { jsonLines } from "./access-log/json-line.js";
import { record } from "./access-log/testing/record.js";
import { MeshMetrics } from "./metrics/mesh-metrics.js";
import { clusterOf, endpointOf } from "./metrics/outcome.test.helper.js";
import { PeerMetadata } from "./metrics/peer-metadata.js";
import { workloadLabels } from "./metrics/workload-labels.js";
import { type SpanOptions, tellCall, tellRequest } from "./tracing/attributes.js";

const jsonLine = jsonLines({ service: "cart.shop", workload: "cart-1", query: false });
const SPAN = {
  envoyTags: true,
  redaction: { url: (scheme: string, host: string, path: string) => `${scheme}://${host}${path}`, query: () => "" },
} as unknown as SpanOptions;
const PLAIN = clusterOf("reviews");
const REVIEWS = { ...PLAIN, config: { ...PLAIN.config, policy: { tls: { sni: "" } } } } as unknown as typeof PLAIN;
const CODES = Object.keys(MESH_ERRORS) as MeshErrorCode[];
const FLAGS: readonly FlagName[] = ["NR", "NC", "UH", "UF", "UC", "UO", "URX", "UT", "DC", "RL", "UAEX", "DI", "FI"];

/** Of the one call that they have counted. */
function counted(outcome: OutcomeRecord): { code: string; flags: string; count: number; sumMs: number } {
  const metrics = new MeshMetrics({
    self: workloadLabels({ app: "cart" }, "cart", "shop"),
    service: { host: () => "cart.shop.svc.cluster.local", name: "cart", namespace: "shop" },
    ...{ principal: () => "", peers: { version: 1, find: () => undefined }, metadata: new PeerMetadata() },
    ...{ maxSeries: undefined, now: () => 0, collectors: [] },
  });
  metrics.ended(outcome);
  const lines = [...metrics.read()].join("").split("\n");
  const line = lines.find((each) => each.startsWith("istio_requests_total{")) ?? "";
  const sum = lines.find((each) => each.startsWith("istio_request_duration_milliseconds_sum{")) ?? "";
  return {
    code: /response_code="([^"]*)"/.exec(line)?.[1] ?? "none",
    flags: /response_flags="([^"]*)"/.exec(line)?.[1] ?? "none",
    count: Number(line.split("} ")[1]),
    sumMs: Number(sum.split("} ")[1]),
  };
}

function toldOfSpan(outcome: OutcomeRecord): Record<string, unknown> {
  const told: Record<string, unknown> = {};
  const tell = outcome.direction === "outbound" ? tellCall : tellRequest;
  tell(outcome, SPAN, { setAttribute: (name, value) => Object.assign(told, { [name]: value }) });
  return told;
}

interface Said {
  readonly status: number;
  readonly flags: string;
  readonly code: string;
  readonly durationMs: number;
}

/** What everybody makes of one outcome, which they have to agree on. */
function said(outcome: OutcomeRecord): Said {
  const metric = counted(outcome);
  const line = JSON.parse(jsonLine(outcome)) as Record<string, unknown>;
  const span = toldOfSpan(outcome);
  const view = outcomeView(outcome);
  const tapped = tapEvent(outcome);
  const { status, code, details } = outcome;
  const durationMs = outcome.endedAt - outcome.startedAt;
  const why = JSON.stringify({ direction: outcome.direction, code, status, flags: view.flags });
  expect([metric.count, metric.code, metric.flags], why).toEqual([1, `${status}`, view.flags]);
  expect([line["response_code"], line["response_flags"]], why).toEqual([status, view.flags]);
  expect([tapped.status, tapped.flags, tapped.error], why).toEqual([status, view.flags, code]);
  expect([line["code"] ?? "", span["inmesh.error.code"] ?? "", view.code], why).toEqual([code, code, code]);
  expect([span["http.response.status_code"] ?? 0, span["response_flags"] ?? "-"], why).toEqual([status, view.flags]);
  expect([line["response_code_details"], view.details, tapped.details], why).toEqual([details, details, details]);
  expect(metric.sumMs, why).toBeCloseTo(durationMs, 2);
  expect(line["duration_us"], why).toBe(Math.round(durationMs * 1_000));
  expect([view.durationMs, tapped.durationMs], why).toEqual([expect.closeTo(durationMs, 3), durationMs]);
  expect([line["trace_id"] ?? "", view.traceId, tapped.traceId], why).toEqual(Array(3).fill(outcome.traceId));
  const { attempts } = outcome;
  expect([view.attempts.length, tapped.attempts.length], why).toEqual([attempts.length, attempts.length]);
  if (outcome.direction === "outbound") {
    expect([line["attempts"], span["inmesh.attempts"] ?? 0], why).toEqual([outcome.attemptCount, outcome.attemptCount]);
  }
  return { status, flags: view.flags, code, durationMs };
}

it("tells of one outcome the same in metric, log line, span, tap, and what is remembered of it", () => {
  const random = seededRandom(9);
  const pick = <Value>(values: readonly Value[]): Value => values[random.int(values.length)]!; // never empty
  for (let round = 0; round < 400; round++) {
    const direction = pick(["outbound", "inbound"] as const);
    const code = random.next() < 0.5 ? "" : pick(CODES);
    const status = pick(code === "" ? [200, 204, 302, 404, 500, 503] : [MESH_ERRORS[code].status, 0]);
    const flags = pick([0, flagBit(pick(FLAGS)), flagBit(pick(FLAGS)) | flagBit(pick(FLAGS))]);
    const durationMs = Math.round(random.next() * 5_000_000) / 1_000;
    const details = code === "" ? "via_upstream" : MESH_ERRORS[code].details;
    said(
      record({
        ...{ direction, code, status, flags, details, startedAt: 0, endedAt: durationMs },
        ...(direction === "outbound" && { cluster: REVIEWS, endpoint: endpointOf({ app: "reviews" }) }),
        ...(code !== "" && { message: `it failed (${code})` }),
      }),
    );
  }
});

/** Of calls that really happen: what becomes of them, by host. */
const MOVED = { kind: "redirect", status: 301, location: () => "/new" } as const;
const GONE = { kind: "directResponse", status: 410, body: "gone" } as const;
const RETRY = { on: ["5xx", "reset", "connect-failure"], maxAttempts: 2, perTryTimeoutMs: 40, backoffBaseMs: 1 };
const ENDINGS = [
  "answered",
  "failed",
  "refused",
  "reset",
  "silent",
  "cut",
  "aborted",
  "moved",
  "gone",
  "fault",
] as const;

it("does so of calls that end in every way, one after another", async () => {
  const random = seededRandom(3);
  const hosts = Object.fromEntries(ENDINGS.map((name) => [name, [{ to: "reviews", retry: RETRY, timeoutMs: 500 }]]));
  const { engine, send, network, clock } = testEngine({
    clusters: { reviews: ["10.0.0.1:80", "10.0.0.2:80"] },
    hosts: {
      ...hosts,
      moved: [{ action: MOVED }],
      gone: [{ action: GONE }],
      fault: [{ fault: { abortRatio: 1, abortStatus: 418, delayRatio: 0, delayMs: 0 } }],
    },
  });
  const heard: string[] = [];
  engine.sinks.add({
    ended: (outcome) => {
      const { status, flags, code } = said(outcome);
      heard.push(`${outcome.authority} ${status} ${flags} ${code}`.trim());
    },
  });
  const behaviours = {
    ...{ answered: answers(200), failed: answers(503), refused: refuses(), reset: resets(), silent: silent() },
    ...{ cut: cuts(200), aborted: silent() },
  };
  for (let round = 0; round < 60; round++) {
    const ending = ENDINGS[round < ENDINGS.length ? round : random.int(ENDINGS.length)]!; // in range
    const behaviour = behaviours[ending as keyof typeof behaviours];
    // Often the second attempt goes well.
    if (behaviour !== undefined) network.script("*", inTurn(behaviour, random.next() < 0.5 ? answers(200) : behaviour));
    const { call } = send(ending, { path: `/a/${round}?token=secret` });
    if (ending === "aborted") {
      clock.advance(random.int(30));
      call.abort(new Error("enough"));
    }
    for (let turn = 0; turn < 40 && !call.ended; turn++) {
      clock.advance(25);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  expect(heard).toHaveLength(60);
  const expected = [
    ...["answered 200 -", "aborted 0 DC", "moved 301 -", "gone 410 -", "fault 418 FI FAULT_ABORTED"],
    ...["failed 200 -", "failed 503 URX", "refused 200 -", "refused 503 UF,URX CONNECT_FAILED"],
    ...["reset 200 -", "reset 503 UC,URX UPSTREAM_RESET", "silent 200 -", "silent 504 URX,UT PER_TRY_TIMEOUT"],
    "cut 200 UR RESPONSE_TRUNCATED",
  ];
  expect([...new Set(heard)].sort()).toEqual(expected.sort());
});
