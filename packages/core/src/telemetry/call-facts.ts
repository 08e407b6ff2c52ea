/** What a record reads of its call: all the call itself, or what is kept of one that must not be kept. */

import type { Call } from "../call/call.js";

export type CallFacts = Pick<
  Call,
  | "method"
  | "path"
  | "authority"
  | "scheme"
  | "headers"
  | "startedAt"
  | "readyAt"
  | "answered"
  | "attempts"
  | "noRetry"
  | "route"
  | "cluster"
  | "faultMs"
  | "fallback"
  | "replayed"
>;

/** A copy, without the errors and the attempts that a call holds. */
export function factsOf(call: CallFacts): CallFacts {
  const { method, path, authority, scheme, headers, startedAt, readyAt, answered, attempts } = call;
  const { noRetry, route, cluster, faultMs, fallback, replayed } = call;
  return {
    ...{ method, path, authority, scheme, headers, startedAt, readyAt, answered, attempts },
    ...{ noRetry, route, cluster, faultMs, fallback, replayed },
  };
}
