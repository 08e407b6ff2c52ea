/**
 * Calls and requests that are not over, for who taps: streams and what hangs are told of while they last. Of calls those are known
 * that began while somebody watched; nothing is kept of any while nobody does.
 */

import type { Call } from "../call/call.js";
import { firstValue } from "../call/first-value.js";
import { withoutQuery } from "../call/without-query.js";

/** From so many ms on something is told of before it is over: what is quicker is told once. */
export const LONG_MS = 1_000;
/** Calls watched at once; of more, the newest. */
const MOST_CALLS = 1_000;

/** Of GET /tap, for what goes on for a second already. Its `end` follows, with the same `requestId` and `at`. */
export interface TapBegin {
  readonly direction: "outbound" | "inbound";
  /** ISO 8601, of its start. */
  readonly at: string;
  readonly method: string;
  readonly authority: string;
  /** Without query. */
  readonly path: string;
  /** So far, in ms. */
  readonly durationMs: number;
  readonly requestId: string;
  readonly traceId: string;
  /** SPIFFE id of who called; empty. */
  readonly peer: string;
  /** Host that is called, and the endpoint tried last; empty for requests served. */
  readonly destination: string;
  readonly endpoint: string;
  /** So far. */
  readonly attempts: number;
}

/** A request that is being served, as whoever serves it knows it. */
export interface ServedUnderWay {
  /** The same one each time it is asked about. */
  readonly request: object;
  /** Clock ms. */
  readonly startedAt: number;
  readonly method: string;
  readonly authority: string;
  /** With query. */
  readonly target: string;
  readonly requestId: string;
  readonly traceId: string;
  readonly peer: string;
}

export class UnderWay {
  /** Calls in the order of their start, and whether they have been told of. */
  readonly #calls = new Map<Call, boolean>();
  #served = new Set<object>();

  began(call: Call): void {
    this.#calls.set(call, false);
    if (this.#calls.size > MOST_CALLS) for (const oldest of this.#calls.keys()) return void this.#calls.delete(oldest);
  }

  ended(call: Call): void {
    this.#calls.delete(call);
  }

  /**
   * What has become long since this was last asked.
   * @param now clock ms
   * @param wallMs the same moment, Unix ms
   */
  read(now: number, wallMs: number, served: Iterable<ServedUnderWay>): TapBegin[] {
    const begins: TapBegin[] = [];
    for (const [call, told] of this.#calls) {
      if (call.ended) this.#calls.delete(call);
      else if (!told && now - call.startedAt >= LONG_MS) {
        this.#calls.set(call, true);
        begins.push(beginOfCall(call, now, wallMs));
      }
    }
    const still = new Set<object>();
    for (const each of served) {
      if (now - each.startedAt < LONG_MS) continue;
      still.add(each.request);
      if (!this.#served.has(each.request)) begins.push(beginOfServed(each, now, wallMs));
    }
    this.#served = still;
    return begins;
  }
}

function beginOfCall(call: Call, now: number, wallMs: number): TapBegin {
  const { method, authority, path, startedAt, headers, span, cluster, attempt, attempts } = call;
  return {
    direction: "outbound",
    ...{ at: isoAt(wallMs - (now - startedAt)), method, authority, path: withoutQuery(path) },
    ...{ durationMs: now - startedAt, requestId: firstValue(headers, "x-request-id") ?? "" },
    ...{ traceId: span?.traceId ?? "", peer: "", destination: cluster?.config.host ?? "" },
    ...{ endpoint: attempt?.endpoint.endpoint.id ?? "", attempts },
  };
}

function beginOfServed(served: ServedUnderWay, now: number, wallMs: number): TapBegin {
  const { startedAt, method, authority, target, requestId, traceId, peer } = served;
  return {
    direction: "inbound",
    ...{ at: isoAt(wallMs - (now - startedAt)), method, authority, path: withoutQuery(target) },
    ...{ durationMs: now - startedAt, requestId, traceId, peer, destination: "", endpoint: "", attempts: 0 },
  };
}

function isoAt(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
