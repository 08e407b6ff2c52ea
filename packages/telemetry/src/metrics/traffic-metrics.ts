/**
 * Istio's metrics of the requests that this process makes and serves, from their outcome records. Labels are made once for
 * each way between two workloads and each kind of outcome; a request that is like one before allocates nothing.
 */

import type { OutcomeRecord, OutcomeSink } from "@inmesh/core";
import type { MetricsPolicy, TelemetryPolicy } from "@inmesh/model";
import { OutcomeAttributes } from "../outcome-attributes.js";
import type { Buckets } from "./bounds-for.js";
import { DestinationEdges, type PeerWorkloads } from "./destination-edges.js";
import {
  Edge,
  type EdgeHolder,
  edgeText,
  type LabelValues,
  messageValues,
  pairsOf,
  Traffic,
  type TrafficBounds,
  trafficBounds,
  trafficValues,
} from "./edge.js";
import { type Exposition, labelText } from "./exposition.js";
import {
  COMMON_LABELS,
  ISTIO_METRICS,
  MESSAGE_METRICS,
  type MetricName,
  metricOf,
  TRAFFIC_METRICS,
  type TrafficMetric,
} from "./metric-table.js";
import type { PeerMetadata } from "./peer-metadata.js";
import { SourceEdges } from "./source-edges.js";
import { TaggedSeries } from "./tagged-series.js";
import type { WorkloadLabels } from "./workload-labels.js";

export interface TrafficMetricsOptions {
  /** This process. */
  readonly self: WorkloadLabels;
  /** Its service. */
  readonly service: { readonly host: () => string; readonly name: string; readonly namespace: string };
  /** Its SPIFFE id; empty without one. */
  readonly principal: () => string;
  readonly peers: PeerWorkloads;
  /** Absent: nobody tells more of itself than its certificate does. */
  readonly metadata?: PeerMetadata | undefined;
  readonly buckets?: Buckets | undefined;
  /** Of one metric. @default 2,000 */
  readonly maxSeries?: number | undefined;
}

/** A series is kept so long after its last request, once its peer has left, in ms. */
export const IDLE_MS = 30 * 60_000;
export const MAX_SERIES = 2_000;
const OVERFLOW = "__overflow__";
type Side = "client" | "server";

/** How one side of one metric is reported: as it is, with other tags, or not at all. */
type Form = "plain" | "disabled" | TaggedSeries;
type Forms = Record<TrafficMetric, Form>;

export class TrafficMetrics implements OutcomeSink {
  readonly #maxSeries: number;
  readonly #bounds: TrafficBounds;
  readonly #edges = new Map<string, Edge>();
  readonly #source: SourceEdges;
  readonly #destination: DestinationEdges;
  readonly #overflow: Record<Side, Edge>;
  readonly #dropped = new Map<TrafficMetric, number>();
  readonly #attributes = new OutcomeAttributes();
  #traffics = 0;
  #forms: Record<Side, Forms> = { client: allPlain(), server: allPlain() };
  /** Every form is plain. */
  #plain: Record<Side, boolean> = { client: true, server: true };
  #policy: Record<Side, MetricsPolicy | undefined> = { client: undefined, server: undefined };
  #sweptAt = Number.NEGATIVE_INFINITY;

  constructor(options: TrafficMetricsOptions) {
    this.#maxSeries = options.maxSeries ?? MAX_SERIES;
    this.#bounds = trafficBounds(options.buckets);
    const intern = (values: LabelValues, holder: EdgeHolder): Edge => this.#intern(values, holder);
    this.#source = new SourceEdges({ ...options, intern });
    this.#destination = new DestinationEdges({ ...options, intern });
    this.#overflow = { client: overflowEdge(this.#source.fixed), server: overflowEdge(this.#destination.fixed) };
  }

  /** What Telemetry resources say now. A side that is told otherwise begins anew. */
  update({ client, server }: TelemetryPolicy): void {
    this.#adopt("client", client.metrics);
    this.#adopt("server", server.metrics);
  }

  ended(record: OutcomeRecord): void {
    const isClient = record.direction === "outbound";
    const side: Side = isClient ? "client" : "server";
    const edge = isClient ? this.#source.of(record) : this.#destination.of(record);
    if (edge === undefined) return;
    edge.lastAt = record.endedAt;
    const { status, grpcStatus, flags } = record;
    const durationMs = record.endedAt - record.startedAt;
    if (!this.#plain[side]) return this.#recordForms(side, edge, record, durationMs);
    const traffic = edge.find(status, grpcStatus, flags) ?? this.#grow(side, edge, record);
    traffic.requests += 1;
    const bucket = traffic.duration.record(durationMs);
    traffic.requestBytes.record(record.requestBytes);
    traffic.responseBytes.record(record.responseBytes);
    if (record.sampled) traffic.duration.exemplify(bucket, record.traceId, durationMs, record.wallMs + durationMs);
    if (grpcStatus >= 0) {
      for (const metric of MESSAGE_METRICS) this.#countMessages(side, edge, metric, amountOf(metric, record, 0));
    }
  }

  /** Everything that is counted, metric after metric; pauses where a reader may. @param now clock ms */
  *write(out: Exposition, now: number): Iterable<void> {
    this.sweep(now);
    for (const metric of ISTIO_METRICS) {
      const spec = metricOf(`istio_${metric}`);
      if (!out.wants(spec.name)) continue;
      out.head(spec);
      for (const side of SIDES) {
        const form = this.#forms[side][metric];
        if (form === "plain") yield* this.#writePlain(out, side, metric);
        else if (form !== "disabled") yield* writeTagged(out, spec.name, form);
      }
    }
  }

  /** Samples that found no room, by metric. */
  dropped(): Iterable<[metric: MetricName, samples: number]> {
    return [...this.#dropped].map(([metric, samples]) => [`istio_${metric}` as const, samples]);
  }

  /** Of requests counted as they are. */
  get series(): number {
    return this.#traffics;
  }

  /** Lets go of series nobody has used for long whose peer has left. @param now clock ms */
  sweep(now: number): void {
    if (now - this.#sweptAt < SWEEP_MS) return;
    this.#sweptAt = now;
    const before = now - IDLE_MS;
    let letGo = false;
    for (const [text, edge] of this.#edges) {
      if (edge.lastAt >= before || !edge.gone) continue;
      letGo = true;
      this.#edges.delete(text);
      this.#traffics -= edge.traffics.length;
      edge.clear(); // whoever still leads there begins anew
    }
    for (const side of SIDES) {
      for (const metric of ISTIO_METRICS) {
        const form = this.#forms[side][metric];
        if (form instanceof TaggedSeries && form.size >= this.#maxSeries) form.forget(before);
      }
    }
    if (!letGo) return;
    this.#source.sweep();
    this.#destination.sweep();
  }

  /** Everything begins at 0. */
  reset(): void {
    for (const edge of [...this.#edges.values(), ...Object.values(this.#overflow)]) edge.clear();
    this.#traffics = 0;
    for (const side of SIDES) this.#forms[side] = this.#formsOf(this.#policy[side]);
    this.#dropped.clear();
  }

  #adopt(side: Side, policy: MetricsPolicy): void {
    if (this.#policy[side] === policy) return;
    const before = this.#policy[side];
    this.#policy[side] = policy;
    if (before !== undefined && samePolicy(before, policy)) return;
    const forms = this.#formsOf(policy);
    const plain = ISTIO_METRICS.every((metric) => forms[metric] === "plain");
    if (plain && this.#plain[side]) return;
    this.#forms[side] = forms;
    this.#plain[side] = plain;
    const reporter = side === "client" ? "source" : "destination";
    for (const edge of this.#edges.values()) {
      if (edge.reporter !== reporter) continue;
      this.#traffics -= edge.traffics.length;
      edge.clear();
    }
    this.#overflow[side].clear();
  }

  #formsOf(policy: MetricsPolicy | undefined): Forms {
    const forms = allPlain();
    for (const metric of ISTIO_METRICS) {
      const tags = policy?.tags.get(metric);
      if (policy?.disabled.has(metric) === true) forms[metric] = "disabled";
      else if (tags !== undefined && tags.length > 0) {
        forms[metric] = new TaggedSeries(tags, isCounter(metric) ? undefined : this.#bounds[metric]);
      }
    }
    return forms;
  }

  #recordForms(side: Side, edge: Edge, record: OutcomeRecord, durationMs: number): void {
    const forms = this.#forms[side];
    let traffic: Traffic | undefined;
    let values: LabelValues | undefined;
    for (const metric of TRAFFIC_METRICS) {
      const form = forms[metric];
      if (form === "disabled") continue;
      const amount = amountOf(metric, record, durationMs);
      if (form === "plain") {
        traffic ??= edge.find(record.status, record.grpcStatus, record.flags) ?? this.#grow(side, edge, record);
        count(traffic, metric, amount);
      } else {
        values ??= trafficValues(edge.values, record);
        this.#countTagged(side, metric, form, values, record, amount);
      }
    }
    if (record.grpcStatus < 0) return;
    for (const metric of MESSAGE_METRICS) {
      const form = forms[metric];
      const amount = amountOf(metric, record, 0);
      if (form === "plain") this.#countMessages(side, edge, metric, amount);
      else if (form !== "disabled") this.#countTagged(side, metric, form, messageValues(edge.values), record, amount);
    }
  }

  #countTagged(
    side: Side,
    metric: TrafficMetric,
    form: TaggedSeries,
    values: LabelValues,
    record: OutcomeRecord,
    amount: number,
  ): void {
    this.#attributes.record = record;
    const room = { mayGrow: form.size < this.#maxSeries, overflow: this.#overflow[side].text };
    const { sample, dropped } = form.sample(values, this.#attributes, room);
    this.#attributes.record = undefined;
    if (dropped) this.#drop(metric);
    sample.lastAt = record.endedAt;
    sample.value += amount;
    sample.cells?.record(amount);
  }

  #countMessages(side: Side, edge: Edge, metric: MessageMetric, amount: number): void {
    const isKept = this.#edges.get(edge.text) === edge;
    if (!isKept) this.#drop(metric);
    const into = isKept ? edge : this.#overflow[side];
    into.grpc = true;
    into[MESSAGES[metric]] += amount;
  }

  /** The first request like this one. */
  #grow(side: Side, edge: Edge, record: OutcomeRecord): Traffic {
    if (this.#traffics >= this.#maxSeries) this.sweep(record.endedAt);
    const full = this.#traffics >= this.#maxSeries || this.#edges.get(edge.text) !== edge;
    if (full) {
      for (const metric of TRAFFIC_METRICS) if (this.#forms[side][metric] === "plain") this.#drop(metric);
      return this.#overflowing(side);
    }
    this.#traffics += 1;
    const labels = labelText(pairsOf(trafficValues(edge.values, record)));
    const traffic = new Traffic(record, labels, this.#bounds);
    edge.traffics.push(traffic);
    return traffic;
  }

  #overflowing(side: Side): Traffic {
    const edge = this.#overflow[side];
    const known = edge.traffics[0];
    if (known !== undefined) return known;
    const traffic = new Traffic(NO_KEY, edge.text, this.#bounds);
    edge.traffics.push(traffic);
    return traffic;
  }

  #drop(metric: TrafficMetric): void {
    this.#dropped.set(metric, (this.#dropped.get(metric) ?? 0) + 1);
  }

  #intern(values: LabelValues, holder: EdgeHolder): Edge {
    const text = edgeText(values);
    let edge = this.#edges.get(text);
    if (edge === undefined) {
      edge = new Edge(values, text);
      // One that is not kept has no series of its own, see `#grow`.
      if (this.#edges.size < this.#maxSeries) this.#edges.set(text, edge);
    }
    edge.hold(holder);
    return edge;
  }

  *#writePlain(out: Exposition, side: Side, metric: TrafficMetric): Iterable<void> {
    const reporter = side === "client" ? "source" : "destination";
    for (const edge of [...this.#edges.values(), this.#overflow[side]]) {
      if (edge.reporter !== reporter) continue;
      if (isMessages(metric)) {
        if (!edge.grpc) continue;
        const labels = edge === this.#overflow[side] ? edge.text : labelText(pairsOf(messageValues(edge.values)));
        out.sample(`istio_${metric}`, labels, edge[MESSAGES[metric]]);
        if (out.full) yield;
        continue;
      }
      for (const traffic of edge.traffics) {
        if (metric === "requests_total") out.sample("istio_requests_total", traffic.labels, traffic.requests);
        else out.histogram(`istio_${metric}`, traffic.labels, traffic[CELLS[metric]]);
        if (out.full) yield;
      }
    }
  }
}

const SIDES = ["client", "server"] as const satisfies readonly Side[];
const SWEEP_MS = 10_000;
const NO_KEY = { status: -1, grpcStatus: -1, flags: -1 };
const CELLS = {
  request_duration_milliseconds: "duration",
  request_bytes: "requestBytes",
  response_bytes: "responseBytes",
} as const;

type MessageMetric = (typeof MESSAGE_METRICS)[number];
const MESSAGES = {
  request_messages_total: "requestMessages",
  response_messages_total: "responseMessages",
} as const satisfies Record<MessageMetric, keyof OutcomeRecord>;

function isMessages(metric: TrafficMetric): metric is MessageMetric {
  return metric in MESSAGES;
}

function isCounter(metric: TrafficMetric): metric is MessageMetric | "requests_total" {
  return metric === "requests_total" || isMessages(metric);
}

function allPlain(): Forms {
  return {
    ...{ requests_total: "plain", request_duration_milliseconds: "plain" },
    ...{ request_bytes: "plain", response_bytes: "plain" },
    ...{ request_messages_total: "plain", response_messages_total: "plain" },
  };
}

function amountOf(metric: TrafficMetric, record: OutcomeRecord, durationMs: number): number {
  if (metric === "requests_total") return 1;
  if (metric === "request_duration_milliseconds") return durationMs;
  if (isMessages(metric)) return record[MESSAGES[metric]];
  return metric === "request_bytes" ? record.requestBytes : record.responseBytes;
}

function count(traffic: Traffic, metric: Exclude<TrafficMetric, MessageMetric>, amount: number): void {
  if (metric === "requests_total") traffic.requests += 1;
  else traffic[CELLS[metric]].record(amount);
}

/** What this process is, is known; everything else is not. */
function overflowText(fixed: LabelValues): string {
  const values: LabelValues = { ...fixed };
  for (const label of OVERFLOWING) values[label] ??= OVERFLOW;
  return labelText(pairsOf(values));
}

const OVERFLOWING = COMMON_LABELS.filter((label) => label !== "grpc_response_status");

function overflowEdge(fixed: LabelValues): Edge {
  return new Edge(fixed, overflowText(fixed));
}

function samePolicy(a: MetricsPolicy, b: MetricsPolicy): boolean {
  const plain = (policy: MetricsPolicy): boolean => policy.disabled.size === 0 && policy.tags.size === 0;
  return plain(a) && plain(b);
}

function* writeTagged(out: Exposition, name: string, series: TaggedSeries): Iterable<void> {
  for (const { labels, value, cells } of series.samples()) {
    if (cells === undefined) out.sample(name, labels, value);
    else out.histogram(name, labels, cells);
    if (out.full) yield;
  }
}
