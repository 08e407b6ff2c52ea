/**
 * What one failure has cost already, above and below, so that the layers of a mesh do not multiply their attempts
 * (pitfalls R8, R9; docs/design/2026-11-27-retry-ledger.md). What comes from the wire can only make us retry less.
 */

import type { HeaderReader } from "./attempt.js";
import type { Call, NoRetryReason } from "./call.js";
import type { InboundContext } from "./context.js";
import { RETRIED_HEADER } from "./mesh-headers.js";

/** Of one inbound request the mesh repeats at most this many attempts, or as many as the calls made for it, if those are more. */
const MOST_REPEATS = 16;

/** Attempts that may have had something done for this request before attempt `number`: of callers above, and of this call. */
export function spentBefore(call: Call, number: number): number {
  const above = call.context?.spentAbove ?? 0;
  if (number === 1) return above + call.spent;
  const out = call.hedge?.out.length ?? 0;
  const sent = (call.earlier ?? []).reduce((sum, attempt) => (attempt.sent ? sum + 1 : sum), out);
  return above + call.spent + Math.min(sent, number - 1); // one replayed on a fresh connection is there twice
}

/** A layer below has tried this answer again, in vain. */
export function isRetriedBelow(header: HeaderReader): boolean {
  return header(RETRIED_HEADER) !== undefined;
}

/** A call is about to start: it is paid for by the request it is made for. A try of the application's that follows another is a repeat. */
export function countCall(context: InboundContext, call: Call): void {
  if (call.spent > 0) context.repeats += 1;
  else context.calls += 1;
}

/** Whether the inbound request has used up what it may repeat. */
export function isOverspent({ context }: Call): boolean {
  return context !== undefined && context.repeats >= Math.max(MOST_REPEATS, context.calls);
}

/** Reasons that are another word for "enough was tried": nobody above is to try it again. */
const SPENT: ReadonlySet<NoRetryReason> = new Set<NoRetryReason>([
  "attempts_exhausted",
  "tried_before",
  "retried_below",
  "retry_after",
  "pushed_back",
  "retry_budget",
  "retry_rate",
  "overloaded",
  "request_budget",
]);

/** A call that failed was tried more than once, or must not be. */
export function isUsedUp({ attempts, spent, noRetry }: Call): boolean {
  return attempts + spent > 1 || (noRetry !== undefined && SPENT.has(noRetry));
}
