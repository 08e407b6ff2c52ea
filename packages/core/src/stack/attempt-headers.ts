/** Headers the mesh adds to an attempt: trace context of the inbound request, attempts beyond the first, the time left. */

import type { Call } from "../call/call.js";

/** Time the callee has, in whole ms, relative so that clocks need not agree (pitfalls X7). */
export const TIMEOUT_HEADER = "x-inmesh-timeout-ms";
/** Envoy's: 2 for the first retry. Differs: not sent on the first attempt, where it says nothing. */
export const ATTEMPT_HEADER = "x-envoy-attempt-count";

/** @returns the call's own array when nothing is to be added */
export function attemptHeaders(call: Call, number: number, now: number): readonly string[] {
  const { headers, context, deadlineAt } = call;
  const finite = deadlineAt !== Number.POSITIVE_INFINITY;
  if (context === undefined && number === 1 && !finite) return headers;
  const added = headers.slice();
  if (context !== undefined) {
    const { forward } = context;
    for (let index = 0; index < forward.length; index += 2) {
      const name = forward[index]!; // flat pairs
      if (call.header(name) === undefined) added.push(name, forward[index + 1]!);
    }
  }
  if (finite) added.push(TIMEOUT_HEADER, String(Math.max(1, Math.floor(deadlineAt - now))));
  if (number > 1) added.push(ATTEMPT_HEADER, String(number));
  return added;
}
