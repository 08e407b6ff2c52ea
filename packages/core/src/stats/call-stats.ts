/** Counters of one cluster, written once per call: plain numbers, read at scrape time. */

import type { Call, NoRetryReason } from "../call/call.js";
import { isServerFault } from "../call/grpc-status.js";
import { Histogram } from "./histogram.js";

export interface CallStatsReading {
  /** Calls that ended. */
  readonly calls: number;
  /** Ended with a status below 500; of gRPC, with one that is no failure of the server. */
  readonly successes: number;
  readonly failures: number;
  /** Given up by the caller. */
  readonly aborted: number;
  /** Attempts beyond the first of each call. */
  readonly retries: number;
  /** Of those, sent beside an attempt that was out (Resilience `hedging`). Absent from older processes. */
  readonly hedges?: number;
  /** Replays on a connection that the peer had closed; not counted as retries. */
  readonly replays: number;
  /** Calls that failed or were given up, by what kept the mesh from trying again. Absent from older processes. */
  readonly noRetry?: Readonly<Partial<Record<NoRetryReason, number>>>;
  /** Attempts whose endpoint was somebody else than policy expects (WRONG_PEER). Absent from older processes. */
  readonly wrongPeers?: number;
  /** Attempts that ended as if the server refused this process's certificate: a suspicion. Absent from older processes. */
  readonly rejections?: number;
  readonly inFlight: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly sumMs: number;
}

export class CallStats {
  calls = 0;
  failures = 0;
  aborted = 0;
  retries = 0;
  hedges = 0;
  replays = 0;
  wrongPeers = 0;
  rejections = 0;
  inFlight = 0;
  readonly noRetry: Partial<Record<NoRetryReason, number>> = {};
  readonly latency = new Histogram();

  /** Of calls before the last reset. */
  #before = 0;

  /** Calls begun, ended or not, whatever was reset meanwhile. */
  get started(): number {
    return this.#before + this.calls + this.inFlight;
  }

  /** Counts from zero; what is under way is still under way. */
  reset(): void {
    this.#before += this.calls;
    this.calls = 0;
    this.failures = 0;
    this.aborted = 0;
    this.retries = 0;
    this.hedges = 0;
    this.replays = 0;
    this.wrongPeers = 0;
    this.rejections = 0;
    for (const reason of Object.keys(this.noRetry)) delete this.noRetry[reason as NoRetryReason];
    this.latency.reset();
  }

  record(call: Call): void {
    this.calls += 1;
    this.inFlight -= 1;
    if (call.attempts > 1) this.retries += call.attempts - 1;
    if (call.hedge !== undefined) this.hedges += call.hedge.sent;
    if (call.replayed) this.replays += 1;
    const { noRetry } = call;
    if (noRetry !== undefined) this.noRetry[noRetry] = (this.noRetry[noRetry] ?? 0) + 1;
    if (noRetry === "aborted") this.aborted += 1;
    else if (call.error !== undefined || call.status >= 500 || isServerFault(call.attempt?.grpcStatus ?? -1))
      this.failures += 1;
    this.latency.record(call.endedAt - call.startedAt);
  }

  read(): CallStatsReading {
    const { calls, failures, aborted, retries, hedges, replays, inFlight, latency, wrongPeers, rejections } = this;
    return {
      calls,
      successes: calls - failures - aborted,
      failures,
      aborted,
      retries,
      hedges,
      replays,
      wrongPeers,
      rejections,
      noRetry: { ...this.noRetry },
      inFlight,
      p50Ms: latency.quantile(0.5),
      p95Ms: latency.quantile(0.95),
      p99Ms: latency.quantile(0.99),
      sumMs: latency.sum,
    };
  }
}
