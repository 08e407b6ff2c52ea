/**
 * Adds up where the time went: from the first moment to the last every one belongs to exactly one part, also where attempts
 * overlap (an attempt beside another counts from the end of the one before).
 */

import { MeshError, type MeshErrorCode } from "../errors.js";
import type { TimeLedger } from "./outcome-record.js";
import type { Wire } from "./wire.js";

/**
 * A class, and made whole: V8 moves an object of a literal to another shape when a part that was 0 becomes a fraction, which
 * was most of what a ledger cost (`npm run bench -- access-log`).
 */
class Parts implements TimeLedger {
  meshMs = 0;
  faultMs = 0;
  queueMs = 0;
  dnsMs = 0;
  connectMs = 0;
  tlsMs = 0;
  waitMs = 0;
  bodyMs = 0;
  backoffMs = 0;
  readonly stallMs: number;

  constructor(stallMs: number) {
    this.stallMs = stallMs;
  }
}

/** Clock ms of one attempt; 0 for what did not happen. */
export interface AttemptTimes {
  readonly startedAt: number;
  /** Its first byte was about to be written. */
  readonly sentAt: number;
  readonly headAt: number;
  readonly endedAt: number;
  readonly wire: Wire | undefined;
  /** It ended for want of a connection. */
  readonly unconnected: boolean;
  readonly stallMs: number;
}

/** Of a call, or of a request that was served. */
export interface OutcomeTimes {
  readonly startedAt: number;
  /** What had to be done before the first attempt, or before the application saw it, was done. */
  readonly readyAt: number;
  readonly headAt: number;
  readonly endedAt: number;
  /** Injected delay, in ms; 0 for none. */
  readonly faultMs: number;
  readonly stallMs: number;
}

/** Failures of connecting. Where TLS could not even be begun (TLS_UNAVAILABLE) nobody was called. */
const UNCONNECTED: ReadonlySet<string> = new Set<MeshErrorCode>(["CONNECT_FAILED", "WRONG_PEER"]);

/** @param error of an attempt */
export function wasUnconnected(error: unknown): boolean {
  return error instanceof MeshError && UNCONNECTED.has(error.code);
}

export function attemptLedger(times: AttemptTimes): TimeLedger {
  const parts = new Parts(times.stallMs);
  addAttempt(parts, times, times.startedAt);
  return parts;
}

/** @param attempts in the order of their starts */
export function outcomeLedger(times: OutcomeTimes, attempts: readonly AttemptTimes[]): TimeLedger {
  const { startedAt, endedAt, faultMs, stallMs } = times;
  const parts = new Parts(stallMs);
  const first = attempts[0];
  if (first === undefined) {
    const { headAt } = times;
    const readyAt = headAt > 0 ? Math.min(times.readyAt, headAt) : endedAt; // nobody but us had it, where there was no answer
    addOurs(parts, readyAt - startedAt, faultMs);
    if (headAt > 0) {
      parts.waitMs += headAt - readyAt;
      parts.bodyMs += endedAt - headAt;
    }
    return parts;
  }
  addOurs(parts, first.startedAt - startedAt, faultMs);
  let at = first.startedAt;
  for (const attempt of attempts) {
    if (attempt.startedAt > at) {
      parts.backoffMs += attempt.startedAt - at;
      at = attempt.startedAt;
    }
    at = addAttempt(parts, attempt, at);
  }
  if (endedAt > at) {
    if (attempts.at(-1)!.headAt > 0)
      parts.meshMs += endedAt - at; // not empty
    else parts.backoffMs += endedAt - at; // given up while it waited to try again
  }
  return parts;
}

/** `meshMs` of a call whose only attempt was answered, which is most of them, without its other parts. */
export function meshMsAround({ startedAt, endedAt, faultMs }: OutcomeTimes, attempt: AttemptTimes): number {
  const beforeMs = attempt.startedAt - startedAt;
  return beforeMs - Math.min(beforeMs, faultMs) + Math.max(0, endedAt - Math.max(attempt.endedAt, attempt.startedAt));
}

/** What all parts of it sum to. */
export function ledgerTotal(ledger: TimeLedger): number {
  const { meshMs, faultMs, queueMs, dnsMs, connectMs, tlsMs, waitMs, bodyMs, backoffMs } = ledger;
  return meshMs + faultMs + queueMs + dnsMs + connectMs + tlsMs + waitMs + bodyMs + backoffMs;
}

function addOurs(parts: Parts, ms: number, faultMs: number): void {
  const fault = Math.min(ms, faultMs);
  parts.faultMs += fault;
  parts.meshMs += ms - fault;
}

/** @returns the end of it, or `from` where that is later */
function addAttempt(parts: Parts, attempt: AttemptTimes, from: number): number {
  const { endedAt, wire } = attempt;
  if (endedAt <= from) return from;
  const sentAt = clip(attempt.sentAt, from, endedAt);
  const headAt = clip(attempt.headAt, sentAt, endedAt);
  const before = sentAt - from;
  if (wire !== undefined) {
    const dns = overlap(wire.openedAt, wire.namedAt, from, sentAt);
    const connect = overlap(wire.namedAt, wire.connectedAt, from, sentAt);
    const tls = overlap(wire.connectedAt, wire.readyAt, from, sentAt);
    parts.dnsMs += dns;
    parts.connectMs += connect;
    parts.tlsMs += tls;
    parts.queueMs += before - dns - connect - tls;
  } else if (attempt.unconnected) parts.connectMs += before;
  else parts.queueMs += before;
  parts.waitMs += headAt - sentAt;
  parts.bodyMs += endedAt - headAt;
  return endedAt;
}

/** @param at 0 for never: the end then */
function clip(at: number, from: number, until: number): number {
  return at <= 0 ? until : Math.min(Math.max(at, from), until);
}

function overlap(from: number, to: number, since: number, until: number): number {
  return Math.max(0, Math.min(to, until) - Math.max(from, since));
}
