/** What happened to a call, in words: the middle part of its error's message. */

import type { ClusterRuntime } from "../cluster/cluster-runtime.js";
import { MeshError } from "../errors.js";
import type { Attempt } from "./attempt.js";
import type { Call, NoRetryReason } from "./call.js";
import { withoutQuery } from "./without-query.js";

/** Attempts told one by one; of more, the first and the last ones. */
const TOLD = 4;

/** `GET http://reviews/api/reviews/42`: without the query, which may hold secrets. */
export function requestLine({ method, scheme, authority, path }: Call): string {
  return `${method} ${scheme}://${authority}${withoutQuery(path)}`;
}

/** All of them, in order. The last one is among the earlier ones when it failed without an answer. */
export function attemptsOf({ earlier, attempt, hedge }: Call): readonly Attempt[] {
  if (hedge !== undefined) {
    const all = new Set([...(earlier ?? []), ...hedge.out, ...(attempt ? [attempt] : [])]);
    return [...all].sort((one, other) => one.startedAt - other.startedAt || one.number - other.number);
  }
  if (attempt === undefined) return earlier ?? [];
  if (earlier === undefined) return [attempt];
  return earlier.includes(attempt) ? earlier : [...earlier, attempt];
}

/** `attempt 1 to 10.0.0.3:4001 could not connect, nothing was sent: …; attempt 2 to …`. */
export function attemptsStory(call: Call, now: number): string {
  const all = attemptsOf(call);
  if (all.length === 0) return "no attempt was made";
  const told = all.length <= TOLD ? all : [all[0]!, ...all.slice(1 - TOLD)]; // not empty
  const clauses = told.map((each) => attemptStory(each, now));
  if (told.length < all.length) clauses.splice(1, 0, `${all.length - told.length} more that failed`);
  return clauses.join("; ");
}

function attemptStory(attempt: Attempt, now: number): string {
  const { number, endpoint, status, phase, error, startedAt, endedAt } = attempt;
  const who = `attempt ${number} to ${endpoint.endpoint.id}`;
  if (phase !== "settled") return `${who} was ${WAITING[phase]} after ${ms(now - startedAt)}`;
  const after = `after ${ms(endedAt - startedAt)}`;
  if (error instanceof MeshError && PLAIN.has(error.code)) return `${withoutCode(error)} ${after}`;
  return status > 0 ? `${who} was answered ${status} ${after}` : `${who} was cancelled ${after}`;
}

const PLAIN = new Set([
  "OVERFLOW",
  "CONNECT_FAILED",
  "TLS_UNAVAILABLE",
  "WRONG_PEER",
  "UPSTREAM_RESET",
  "STREAM_REFUSED",
  "UPSTREAM_PROTOCOL",
  "RESPONSE_TRUNCATED",
  "PER_TRY_TIMEOUT",
]);

const WAITING = {
  queued: "still waiting for a connection",
  written: "still waiting for an answer",
  answered: "still receiving the answer's body",
} as const;

/** Why it ended there, as a sentence with a way out. */
export function noRetryStory(call: Call): string {
  const { noRetry } = call;
  if (noRetry === undefined) return "";
  const why = WHY[noRetry];
  return why === "" ? "" : ` ${typeof why === "function" ? why(call) : why}.`;
}

const WHY: Record<NoRetryReason, string | ((call: Call) => string)> = {
  attempts_exhausted: ({ attempts }) => `All ${attempts} attempts that the rule allows were made`,
  tried_before: ({ route, spent }) =>
    `Not tried again: the application does so itself, and of the ${route?.retry.maxAttempts} attempts that the rule allows earlier tries of this call made ${spent}`,
  retries_off: "The rule allows no retries",
  wrong_peer: "Not tried again, because there is no other endpoint, and nothing is ever sent to this one",
  not_retriable: ({ route }) => `Retries are on for ${route?.retry.tokens.join(",")}, which does not cover this`,
  not_idempotent: ({ method }) =>
    `Not tried again, because a ${method} may have been carried out: send an Idempotency-Key if it is safe to repeat`,
  body_not_replayable: "Not tried again, because the request body was a stream and cannot be sent twice",
  retry_budget: ({ cluster }) =>
    `Not tried again, because as many retries as policy allows are under way to "${cluster?.config.name}" (${retryLimit(cluster)})`,
  breaker_open: ({ cluster }) =>
    `Not tried again, because a circuit breaker lets nothing more through to "${cluster?.config.name}"`,
  overloaded: "Not tried again, because more requests would make the overload worse",
  retried_above:
    "Not tried again, because the request that this call is made for is a repeat itself, and only one layer repeats",
  retried_below: "Not tried again, because a service further down has done so in vain, and says so in its answer",
  retry_after: ({ retryAfterMs }) =>
    `Not tried again, because the answer asks for a wait of ${ms(retryAfterMs)} (Retry-After), and less is left`,
  pushed_back: "Not tried again, because the server asks for that (grpc-retry-pushback-ms)",
  retry_rate: ({ cluster }) =>
    `Not tried again, because "${cluster?.config.name}" has no retry left (retryBudget by rate of Resilience): more would add to its load`,
  request_budget: ({ context }) =>
    `Not tried again, because calls made for the same inbound request were repeated ${context?.repeats ?? 0} times already`,
  answer_begun: "Not tried again, because the caller already had the beginning of the answer",
  deadline: "",
  aborted: "",
};

/** The field that holds it, and what it says. */
function retryLimit(cluster: ClusterRuntime | undefined): string {
  const { limits, retryBudget } = cluster?.config.policy ?? {};
  if (retryBudget === undefined) return `connectionPool.http.maxRetries: ${limits?.maxRetries}`;
  const { ratio, minConcurrency } = retryBudget;
  return `retryBudget: ${Math.round(ratio * 100)}% of its requests, at least ${minConcurrency}`;
}

/** The code stands at the end of the whole message, once. */
function withoutCode({ message, code }: MeshError): string {
  return message.slice(0, -` (${code})`.length);
}

/** Two significant digits are enough: `0.4 ms`, `12 ms`, `3000 ms`. */
function ms(duration: number): string {
  return `${duration < 10 ? Math.round(duration * 10) / 10 : Math.round(duration)} ms`;
}
