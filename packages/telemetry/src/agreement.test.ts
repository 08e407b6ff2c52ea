import {
  type FlagName,
  flagBit,
  MESH_ERRORS,
  type MeshErrorCode,
  type OutcomeRecord,
  seededRandom,
} from "@inmesh/core";
import { outcomeView } from "@inmesh/core/admin";
import { expect, it } from "vitest";
import { jsonLine } from "./access-log/json-line.js";
import { record } from "./access-log/testing/record.js";
import { MeshMetrics } from "./metrics/mesh-metrics.js";
import { clusterOf, endpointOf } from "./metrics/outcome.test.helper.js";
import { PeerMetadata } from "./metrics/peer-metadata.js";
import { workloadLabels } from "./metrics/workload-labels.js";
import { type SpanOptions, tellCall, tellRequest } from "./tracing/attributes.js";

const CONTEXT = { service: "cart.shop", workload: "cart-1", query: false };
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

it("tells of one outcome the same in metric, log line, span, and what is remembered of it", () => {
  const random = seededRandom(9);
  const pick = <Value>(values: readonly Value[]): Value => values[random.int(values.length)]!; // never empty
  for (let round = 0; round < 400; round++) {
    const direction = pick(["outbound", "inbound"] as const);
    const code = random.next() < 0.5 ? "" : pick(CODES);
    const status = pick(code === "" ? [200, 204, 302, 404, 500, 503] : [MESH_ERRORS[code].status, 0]);
    const flags = pick([0, flagBit(pick(FLAGS)), flagBit(pick(FLAGS)) | flagBit(pick(FLAGS))]);
    const durationMs = Math.round(random.next() * 5_000_000) / 1_000;
    const details = code === "" ? "via_upstream" : MESH_ERRORS[code].details;
    const outcome = record({
      ...{ direction, code, status, flags, details, startedAt: 0, endedAt: durationMs },
      ...(direction === "outbound" && { cluster: REVIEWS, endpoint: endpointOf({ app: "reviews" }) }),
      ...(code !== "" && { message: `it failed (${code})` }),
    });
    const metric = counted(outcome);
    const line = JSON.parse(jsonLine(outcome, CONTEXT)) as Record<string, unknown>;
    const span = toldOfSpan(outcome);
    const view = outcomeView(outcome);
    const said = JSON.stringify({ direction, code, status, flags });
    expect([metric.count, metric.code, metric.flags], said).toEqual([1, `${status}`, view.flags]);
    expect([line["response_code"] ?? 0, line["response_flags"] ?? "-"], said).toEqual([status, view.flags]);
    expect([line["code"] ?? "", span["inmesh.error.code"] ?? "", view.code], said).toEqual([code, code, code]);
    expect([span["http.response.status_code"] ?? 0, span["response_flags"] ?? "-"], said).toEqual([status, view.flags]);
    expect([line["response_code_details"], view.details], said).toEqual([details, details]);
    expect(metric.sumMs, said).toBeCloseTo(durationMs, 2);
    expect(line["duration_us"], said).toBe(Math.round(durationMs * 1_000));
    expect(view.durationMs, said).toBeCloseTo(durationMs, 3);
    expect([line["trace_id"], view.traceId], said).toEqual([outcome.traceId, outcome.traceId]);
  }
});
