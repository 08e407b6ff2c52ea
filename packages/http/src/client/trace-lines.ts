/**
 * Trace headers of a request that an instrumentation in this process writes too. Instrumentations of undici add their
 * lines to the created request, on a diagnostics channel, beside those that are there: those that the mesh forwards, and
 * those of an instrumentation of node:http for the same call. Two `traceparent` lines are none (W3C Trace Context §3.2).
 */

import { channel } from "node:diagnostics_channel";
import type { Attempt } from "@inmesh/core";
import { traceId } from "@inmesh/core/internal";

/** Its `hasSubscribers` is all that a process without an instrumentation pays. */
export const REQUEST_CREATED = channel("undici:request:create");

const TRACE_NAME =
  /^(?:traceparent|tracestate|baggage|b3|x-b3-[a-z]+|sentry-trace|uber-trace-id|x-datadog-[a-z-]+|newrelic)$/;
/** Several lines of it are one list. */
const LIST = "baggage";

export interface Sent {
  readonly attempt: Attempt;
  /** As given to undici, flat. */
  readonly headers: readonly string[];
}

/** Runs `dispatch`, which creates one request of undici, and sees that request after everybody else has. */
export function withOneTrace(sent: Sent, dispatch: () => boolean): boolean {
  const onCreated = (message: unknown): void => {
    const { headers } = (message as { request: { headers: unknown } }).request;
    if (Array.isArray(headers)) keepOneTrace(headers, sent);
  };
  // Subscribed for this one request: whoever comes before us in the list has written its lines when we look.
  REQUEST_CREATED.subscribe(onCreated);
  try {
    return dispatch();
  } finally {
    REQUEST_CREATED.unsubscribe(onCreated);
  }
}

/** @param headers the created request's own list, to which lines may have been added at its end */
export function keepOneTrace(headers: unknown[], { attempt: { call }, headers: sent }: Sent): void {
  const before = linesByName(sent);
  const after = linesByName(headers);
  const isForwarded = (name: string): boolean => call.header(name) === undefined;
  const added = (name: string): string[] => after.get(name)?.slice(before.get(name)?.length ?? 0) ?? [];

  // Who has not seen the inbound request starts a trace of its own: the inbound one goes on, as it does without them.
  const inbound = isForwarded("traceparent") ? before.get("traceparent")?.[0] : undefined;
  const written = added("traceparent").at(-1);
  const strange = inbound !== undefined && written !== undefined && traceId(inbound) !== traceId(written);

  const seen = new Map<string, number>();
  let kept = 0;
  for (let index = 0; index < headers.length; index += 2) {
    const name = String(headers[index]).toLowerCase();
    const nth = seen.get(name) ?? 0;
    seen.set(name, nth + 1);
    const earlier = before.get(name)?.length ?? 0;
    const twice = TRACE_NAME.test(name) && earlier > 0 && added(name).length > 0;
    const apart = name === LIST && !isForwarded(name) && !added(name).includes(String(headers[index + 1]));
    if (twice && !apart && nth < earlier !== strange) continue;
    if (strange && name === "tracestate" && earlier === 0) continue; // of the trace that just went
    headers[kept] = headers[index];
    headers[kept + 1] = headers[index + 1];
    kept += 2;
  }
  headers.length = kept;
}

function linesByName(headers: readonly unknown[]): Map<string, string[]> {
  const lines = new Map<string, string[]>();
  for (let index = 0; index < headers.length; index += 2) {
    const name = String(headers[index]).toLowerCase();
    const value = String(headers[index + 1]);
    const found = lines.get(name);
    if (found === undefined) lines.set(name, [value]);
    else found.push(value);
  }
  return lines;
}
