/**
 * What was spent on requests that failed and may be made once more, by the application or a library that tries again
 * itself: the next one is a further attempt of the same call and gets what is left of the rule's attempts, not all of them
 * anew (pitfalls R9, R19; docs/design/2026-11-27-retrying-libraries.md).
 *
 * Whoever holds it says who belongs together: an inbound request, a library's own object, a chain of events.
 */

import type { TraceSpan } from "../telemetry/tracing.js";
import type { Call } from "./call.js";
import { isUsedUp } from "./ledger.js";
import { ORIGINAL_PATH_HEADER } from "./mesh-headers.js";

/** A pause this long between two tries is no storm: the next one is a call of its own. In ms. */
const REMEMBERED_MS = 60_000;
/** Different requests remembered; a handler that asks more than this forgets the oldest (pitfalls B8). */
const MOST = 64;

/** A span that is over, by what names it. */
export type SpanPlace = Pick<TraceSpan, "traceId" | "spanId" | "sampled">;

interface Spent {
  /** Of the last of them; undefined where nobody traced it. */
  readonly span: SpanPlace | undefined;
  readonly attempts: number;
  /** No further attempt would help, for all that is known here. */
  readonly usedUp: boolean;
  readonly at: number;
}

export class Tries {
  #spent: Map<string, Spent> | undefined;

  /** Attempts made for the same request before. */
  before(call: Call, now: number): number {
    if (this.#spent === undefined || this.#spent.size === 0) return 0;
    return this.#of(call, now)?.attempts ?? 0;
  }

  /** Of the call before, which this one repeats. */
  spanBefore(call: Call, now: number): SpanPlace | undefined {
    return this.#of(call, now)?.span;
  }

  #of(call: Call, now: number): Spent | undefined {
    const spent = this.#spent?.get(keyOf(call));
    return spent === undefined || now - spent.at > REMEMBERED_MS ? undefined : spent;
  }

  /** Most attempts made in vain for one request; 0 when none was made more than once, or all succeeded in the end. */
  get retried(): number {
    let most = 0;
    if (this.#spent === undefined) return most;
    for (const { attempts, usedUp } of this.#spent.values()) if (usedUp && attempts > most) most = attempts;
    return most;
  }

  /** A call is over. One that succeeded has no successor. */
  note(call: Call, now: number): void {
    const failed = call.noRetry !== undefined || call.error !== undefined || TRY_LATER.has(call.status);
    if (!failed) {
      if (call.status < 400 && this.#spent !== undefined) this.#spent.delete(keyOf(call));
      return;
    }
    const key = keyOf(call);
    const attempts = Math.max(call.spent + call.attempts, this.before(call, now)); // others may run beside it
    this.#spent ??= new Map();
    this.#spent.delete(key);
    if (this.#spent.size >= MOST) this.#spent.delete(this.#spent.keys().next().value!); // full, so not empty
    const { span } = call;
    const place = span && { traceId: span.traceId, spanId: span.spanId, sampled: span.sampled };
    this.#spent.set(key, { attempts, usedUp: isUsedUp(call), at: now, span: place });
  }
}

/** Statuses below 500 after which libraries try again; got, ky and undici agree on these. */
const TRY_LATER = new Set([408, 413, 425, 429]);

/** Whether whoever gets such an answer may try again. */
export function isTriedLater(status: number): boolean {
  return status >= 500 || TRY_LATER.has(status);
}

/** As asked for, whatever the rule made of it. */
function keyOf(call: Call): string {
  const { method, scheme, host, port, route, path } = call;
  const asked = route?.rewrite?.path === undefined ? path : String(call.header(ORIGINAL_PATH_HEADER) ?? path);
  return `${method} ${scheme}://${host}:${port}${asked}`;
}

/** Before a call starts: what it may still spend. */
export function triesBefore(call: Call, now: number): number {
  const { tries, context } = call;
  return Math.max(tries?.before(call, now) ?? 0, context?.tries?.before(call, now) ?? 0);
}

/** The same of its span. */
export function spanBefore(call: Call, now: number): SpanPlace | undefined {
  const { tries, context } = call;
  return tries?.spanBefore(call, now) ?? context?.tries?.spanBefore(call, now);
}

/** After a call: its successor in the same scope will know. */
export function noteTries(call: Call, now: number): void {
  const { tries, context } = call;
  tries?.note(call, now);
  if (context === undefined) return;
  context.tries ??= new Tries();
  context.tries.note(call, now);
  if (context.tries.retried > 0) context.retriedInVain();
}
