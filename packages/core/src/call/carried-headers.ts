/** Which headers of the inbound request a call made for it carries on. */

import type { MatchRequest } from "@inmesh/model";
import { firstValue } from "./first-value.js";

/**
 * What the call sets itself stays its own. A `tracestate` goes with its `traceparent`: beside one of another trace it would
 * describe a trace that it knows nothing of (W3C Trace Context §3.3).
 *
 * @param forward the inbound request's, flat `[name, value, …]`
 */
export function isCarried(call: Pick<MatchRequest, "header">, forward: readonly string[], name: string): boolean {
  if (call.header(name) !== undefined) return false;
  if (name !== "tracestate") return true;
  const own = call.header("traceparent");
  return own === undefined || traceId(own) === traceId(firstValue(forward, "traceparent"));
}

/**
 * Whether a header tells of a trace: what `disableContextPropagation` of a Telemetry keeps back.
 *
 * @param name lower-case
 */
export function isOfTrace(name: string): boolean {
  return OF_TRACE.test(name);
}

const OF_TRACE =
  /^(?:traceparent|tracestate|baggage|b3|sw8|uber-trace-id|grpc-trace-bin|x-ot-span-context|x-cloud-trace-context|x-(?:b3|datadog)-.+)$/;

/** The second of a traceparent's fields. Undefined for what is none, which is no trace's. */
export function traceId(traceparent: string | readonly string[] | undefined): string | undefined {
  return typeof traceparent === "string" ? traceparent.split("-", 2)[1] : undefined;
}
