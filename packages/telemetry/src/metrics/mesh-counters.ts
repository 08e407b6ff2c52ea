/** What the mesh counts of its own work beside Istio's metrics, from the same outcome records. Per cluster, not per endpoint. */

import { type AttemptRecord, isServerFault, type OutcomeRecord, type OutcomeSink } from "@inmesh/core";
import { type Buckets, boundsFor } from "./bounds-for.js";
import { HistogramCells } from "./histogram-cells.js";
import { metricOf } from "./metric-table.js";
import type { Samples } from "./samples.js";

const RESULTS = ["success", "failure", "timeout", "refused", "cancelled"] as const;
type Result = (typeof RESULTS)[number];

/** Clusters kept; policy that renames them for ever must not grow a process. The oldest leaves. */
const MOST_CLUSTERS = 1_000;
const SERVER_ERROR = 500;
const MS_PER_S = 1_000;

interface ClusterCounters {
  readonly service: string;
  readonly subset: string;
  readonly attempts: Record<Result, number>;
  /** By `reason outcome`. */
  readonly retries: Map<string, number>;
  readonly faults: { abort: number; delay: number };
}

export class MeshCounters implements OutcomeSink {
  readonly #byCluster = new Map<string, ClusterCounters>();
  readonly #connects = new Map<string, { readonly tls: HistogramCells; readonly plain: HistogramCells }>();
  readonly #overhead: { readonly outbound: HistogramCells; readonly inbound: HistogramCells };
  readonly #connectBounds: readonly number[];
  #lastName = "";
  #last: ClusterCounters | undefined;

  constructor(buckets?: Buckets) {
    const bounds = (name: "inmesh_overhead_seconds" | "inmesh_connect_duration_seconds") =>
      boundsFor(name, buckets, metricOf(name).bounds!); // a histogram
    this.#connectBounds = bounds("inmesh_connect_duration_seconds");
    const overhead = bounds("inmesh_overhead_seconds");
    this.#overhead = { outbound: new HistogramCells(overhead), inbound: new HistogramCells(overhead) };
  }

  ended(record: OutcomeRecord): void {
    this.#overhead[record.direction].record(record.meshMs / MS_PER_S);
    if (record.direction === "inbound") return;
    const counters = this.#of(record);
    if (record.details === "fault_filter_abort") counters.faults.abort += 1;
    if (record.faultMs > 0) counters.faults.delay += 1;
    const { attempts, attemptCount } = record;
    let before: AttemptRecord | undefined;
    for (let index = 0; index < attempts.length && index < attemptCount; index++) {
      const attempt = attempts[index]!; // in range
      counters.attempts[resultOf(attempt)] += 1;
      if (before !== undefined) {
        const key = `${reasonOf(before)} ${outcomeOf(record)}`;
        counters.retries.set(key, (counters.retries.get(key) ?? 0) + 1);
      }
      before = attempt;
      if (!attempt.reused && attempt.ledger.connectMs > 0) this.#connected(counters.service, attempt);
    }
  }

  /** Pauses where a reader may. */
  *write(samples: Samples): Iterable<void> {
    for (const [direction, cells] of Object.entries(this.#overhead)) {
      samples.histogram("inmesh_overhead_seconds", ["direction", direction], cells);
    }
    for (const { service, subset, attempts } of this.#byCluster.values()) {
      for (const result of RESULTS) {
        samples.add(
          "inmesh_upstream_attempts_total",
          ["service", service, "subset", subset, "result", result],
          attempts[result],
        );
      }
      yield;
    }
    // Subsets of one service are one series here.
    const retries = new Map<string, number>();
    const faults = new Map<string, number>();
    for (const { service, retries: own, faults: injected } of this.#byCluster.values()) {
      for (const [key, count] of own) sum(retries, `${service} ${key}`, count);
      sum(faults, `${service} abort`, injected.abort);
      sum(faults, `${service} delay`, injected.delay);
      yield;
    }
    for (const [key, count] of retries) {
      const [service = "", reason = "", outcome = ""] = key.split(" ");
      samples.add("inmesh_retries_total", ["service", service, "reason", reason, "outcome", outcome], count);
    }
    for (const [key, count] of faults) {
      const [service = "", kind = ""] = key.split(" ");
      if (count > 0) samples.add("inmesh_fault_injected_total", ["service", service, "kind", kind], count);
    }
    for (const [service, { tls, plain }] of this.#connects) {
      samples.histogram("inmesh_connect_duration_seconds", ["service", service, "tls", "true"], tls);
      samples.histogram("inmesh_connect_duration_seconds", ["service", service, "tls", "false"], plain);
      yield;
    }
  }

  #of({ cluster }: OutcomeRecord): ClusterCounters {
    const name = cluster?.config.name ?? "";
    if (this.#last !== undefined && name === this.#lastName) return this.#last; // nearly always
    let counters = this.#byCluster.get(name);
    if (counters === undefined) {
      if (this.#byCluster.size >= MOST_CLUSTERS) this.#byCluster.delete(this.#byCluster.keys().next().value!); // full, so not empty
      counters = {
        service: cluster?.config.host ?? "unknown",
        subset: cluster?.config.subset ?? "",
        attempts: { success: 0, failure: 0, timeout: 0, refused: 0, cancelled: 0 },
        retries: new Map(),
        faults: { abort: 0, delay: 0 },
      };
      this.#byCluster.set(name, counters);
    }
    this.#lastName = name;
    this.#last = counters;
    return counters;
  }

  #connected(service: string, { ledger }: AttemptRecord): void {
    let cells = this.#connects.get(service);
    if (cells === undefined) {
      if (this.#connects.size >= MOST_CLUSTERS) this.#connects.delete(this.#connects.keys().next().value!); // full, so not empty
      cells = { tls: new HistogramCells(this.#connectBounds), plain: new HistogramCells(this.#connectBounds) };
      this.#connects.set(service, cells);
    }
    cells[ledger.tlsMs > 0 ? "tls" : "plain"].record((ledger.dnsMs + ledger.connectMs + ledger.tlsMs) / MS_PER_S);
  }
}

function sum(counts: Map<string, number>, key: string, count: number): void {
  counts.set(key, (counts.get(key) ?? 0) + count);
}

function resultOf({ status, grpcStatus, code, outcome }: AttemptRecord): Result {
  if (outcome === "timed out") return "timeout";
  if (outcome === "cancelled") return "cancelled";
  if (outcome === "refused") return "refused";
  if (isServerFault(grpcStatus)) return "failure";
  return code === "" && status > 0 && status < SERVER_ERROR ? "success" : "failure";
}

/** What made another attempt necessary. */
function reasonOf({ status, grpcStatus, code, outcome }: AttemptRecord): string {
  if (outcome === "timed out") return "per_try_timeout";
  if (code === "STREAM_REFUSED") return "refused_stream";
  if (code === "CONNECT_FAILED" || code === "WRONG_PEER" || outcome === "refused") return "connect_failure";
  if (status === 0 || code !== "") return "reset";
  if (grpcStatus > 0) return "grpc_status";
  if (status >= 502 && status <= 504) return "gateway_error";
  if (status >= SERVER_ERROR) return "5xx";
  return status === 409 ? "retriable_4xx" : "status";
}

function outcomeOf({ noRetry, code, status, grpcStatus }: OutcomeRecord): string {
  if (noRetry === "")
    return code === "" && status < SERVER_ERROR && !isServerFault(grpcStatus) ? "success" : "exhausted";
  if (noRetry === "retry_budget" || noRetry === "retry_rate" || noRetry === "request_budget") return "budget";
  if (noRetry === "body_not_replayable" || noRetry === "deadline" || noRetry === "aborted") return noRetry;
  return "exhausted";
}
