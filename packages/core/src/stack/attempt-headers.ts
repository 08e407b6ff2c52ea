/** Headers the mesh adds to an attempt: trace context of its span or of the inbound request, attempts beyond the first, those spent, the time left. */

import type { Call } from "../call/call.js";
import { isCarried, isOfTrace } from "../call/carried-headers.js";
import { spentBefore } from "../call/ledger.js";
import { ATTEMPT_HEADER, SPENT_HEADER, TIMEOUT_HEADER } from "../call/mesh-headers.js";

/** @returns the call's own array when nothing is to be added */
export function attemptHeaders(call: Call, number: number, now: number): readonly string[] {
  const { context, span } = call;
  const headers = span === undefined ? call.headers : withoutNamesOf(call.headers, span.headers);
  const leftMs = timeLeft(call, now);
  const finite = leftMs !== Number.POSITIVE_INFINITY;
  const attempt = number + call.spent;
  if (context === undefined && span === undefined && attempt === 1 && !finite) return headers;
  const added = headers.slice();
  if (context !== undefined) {
    const { forward } = context;
    const silent = span?.propagates === false;
    const apart = keepsBaggage(call);
    // A span that says which trace it is of has said what belongs to it: a list that broke the rules does not go on.
    const traced = span !== undefined && hasName(span.headers, "traceparent");
    for (let index = 0; index < forward.length; index += 2) {
      const name = forward[index]!; // flat pairs
      if ((silent && isOfTrace(name)) || (apart && name === BAGGAGE) || (traced && name === "tracestate")) continue;
      if (isCarried(call, forward, name) && (span === undefined || !hasName(span.headers, name)))
        added.push(name, forward[index + 1]!);
    }
  }
  if (span !== undefined) {
    for (let index = 0; index < span.headers.length; index += 2) {
      const name = span.headers[index]!; // flat pairs
      if (name === BAGGAGE && keepsBaggage(call)) continue;
      added.push(name, name === BAGGAGE ? baggageOf(call, span.headers[index + 1]!) : span.headers[index + 1]!);
    }
  }
  if (finite) added.push(TIMEOUT_HEADER, String(Math.max(1, Math.floor(leftMs))));
  if (attempt > 1) added.push(ATTEMPT_HEADER, String(attempt));
  const spent = spentBefore(call, number);
  if (spent > 0) added.push(SPENT_HEADER, String(spent));
  return added;
}

/** Until we stop waiting for this attempt, in ms: later tries have less (pitfalls R16). */
function timeLeft({ deadlineAt, route }: Call, now: number): number {
  const perTryMs = route?.retry.perTryTimeoutMs ?? 0;
  return perTryMs > 0 ? Math.min(perTryMs, deadlineAt - now) : deadlineAt - now;
}

/** In any case, wherever and however often they stand: two trace contexts on one request are none (pitfalls O3). */
function withoutNamesOf(headers: readonly string[], names: readonly string[]): readonly string[] {
  for (let index = 0; index < headers.length; index += 2) {
    if (hasName(names, headers[index]!)) return headers.filter((_, each) => !hasName(names, headers[each & ~1]!)); // flat pairs
  }
  return headers;
}

function hasName(lines: readonly string[], name: string): boolean {
  for (let index = 0; index < lines.length; index += 2) {
    const key = lines[index]!; // flat pairs
    if (key.length === name.length && key.toLowerCase() === name.toLowerCase()) return true;
  }
  return false;
}

const BAGGAGE = "baggage";

/** What the mesh carries of baggage stays in the mesh: it may name users. What the application writes itself is its own. */
function keepsBaggage({ cluster }: Call): boolean {
  const service = cluster?.config.service;
  return service?.location === "external" && service.takesBaggage !== true;
}

/** What a caller has written itself stays, before those of the request's that it has not: baggage is the application's own. */
function baggageOf(call: Call, carried: string): string {
  const own = call.header(BAGGAGE);
  if (own === undefined) return carried;
  const members = (typeof own === "string" ? own : own.join(",")).split(",").map((member) => member.trim());
  const keys = new Set(members.map(keyOf));
  return [...members, ...carried.split(",").filter((member) => !keys.has(keyOf(member)))].join(",");
}

function keyOf(member: string): string {
  return member.slice(0, member.indexOf("=")).trim();
}
