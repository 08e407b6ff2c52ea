/** Adds up one load: what the caller was told, beside what the backends wrote down. */

import { type Entry, NEVER_ARRIVED } from "./ledger.js";
import type { Method, Outcome } from "./messages.js";

export interface Share {
  readonly sent: number;
  readonly ok: number;
}

export interface Tally {
  readonly name: string;
  readonly all: Share;
  /** May be sent again: GET, and POST with an Idempotency-Key. */
  readonly idempotent: Share;
  readonly posts: Share;
  /** Requests that reached an application for each one sent. */
  readonly amplification: number;
  /** In ms, of all that ended, well or not. */
  readonly p50: number;
  readonly p99: number;
  readonly longestMs: number;
  /** How many failed for which reason. */
  readonly reasons: ReadonlyMap<string, number>;
  readonly outcomes: readonly Outcome[];
  /** What must never be, whatever fails. */
  readonly lies: readonly string[];
  readonly postsExecutedTwice: number;
  /** Plain POSTs that were carried out, and whose caller was told of a failure. */
  readonly postsUnknown: number;
  /** Requests to which a backend did what the load asked for, though their callers were told that all is well. */
  readonly hidden: number;
  /** How long the machine let the caller wait for its turn, or whoever watched, at most, in ms. */
  readonly lateMs: number;
}

/** The mesh says with these that nothing was sent. */
const NOTHING_SENT = new Set([
  "CONNECT_FAILED",
  "OVERFLOW",
  "DROPPED",
  "OVERLOADED",
  "BREAKER_OPEN",
  "NO_ENDPOINT",
  "DRAINING",
]);

export interface Heard {
  readonly outcomes: readonly Outcome[];
  readonly lateMs: number;
}

export function tally(name: string, { outcomes, lateMs }: Heard, ledger: ReadonlyMap<string, Entry>): Tally {
  const lies: string[] = [];
  const reasons = new Map<string, number>();
  let arrived = 0;
  let postsExecutedTwice = 0;
  let postsUnknown = 0;
  let hidden = 0;
  for (const { id, method, ok, reason } of outcomes) {
    const entry = ledger.get(id) ?? NEVER_ARRIVED;
    arrived += entry.arrived;
    if (!ok) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    if (ok && entry.executed === 0) lies.push(`${id} was answered well and never carried out`);
    if (ok && entry.faulted > 0) hidden += 1;
    if (reason === "another answer") lies.push(`${id} got the answer of another request`);
    if (method !== "POST") continue;
    if (entry.executed > 1) postsExecutedTwice += 1;
    if (!ok && entry.executed > 0) postsUnknown += 1;
    if (NOTHING_SENT.has(reason) && entry.arrived > 0) lies.push(`${id} arrived, its caller was told ${reason}`);
  }
  const times = outcomes.map(({ ms }) => ms).sort((a, b) => a - b);
  return {
    name,
    all: share(outcomes),
    idempotent: share(outcomes.filter(({ method }) => method !== "POST")),
    posts: share(outcomes.filter(({ method }) => method === "POST")),
    amplification: arrived / outcomes.length,
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    longestMs: times.at(-1) ?? 0,
    reasons,
    outcomes,
    lies,
    postsExecutedTwice,
    postsUnknown,
    hidden,
    lateMs,
  };
}

function share(outcomes: readonly { readonly ok: boolean; readonly method: Method }[]): Share {
  return { sent: outcomes.length, ok: outcomes.filter(({ ok }) => ok).length };
}

function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
}

/** Share of the requests sent in a stretch of time that were answered well. @param from, to ms since the load began */
export function goodput(outcomes: readonly Outcome[], from: number, to: number): number {
  const sent = outcomes.filter(({ at }) => at >= from && at < to);
  return sent.length === 0 ? 0 : share(sent).ok / sent.length;
}
