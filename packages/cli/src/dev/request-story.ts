/** The life of one request in words, for the key `w`: what was tried, where, for how long, and what the mesh itself cost. */

import type { AttemptView, RequestView } from "@inmesh/core/admin";

/** Why nothing more was tried, in words. */
const NO_RETRY: Readonly<Record<string, string>> = {
  attempts_exhausted: "no attempt was left",
  not_retriable: "policy retries nothing of this kind",
  wrong_peer: "there was no endpoint but the wrong one",
  not_idempotent: "it may have been carried out, and doing it twice would be wrong",
  tried_before: "earlier tries by the application itself have used up its attempts",
  body_not_replayable: "its body could not be sent a second time",
  retried_above: "the request it is made for is a repeat itself",
  retried_below: "a service further down has tried it again in vain",
  retry_after: "its answer asks to wait for longer than there is time",
  pushed_back: "the server asks not to be asked again (grpc-retry-pushback-ms)",
  retry_rate: "no retry was left in the budget",
  retry_budget: "as many retries as policy allows were under way",
  breaker_open: "a circuit breaker let nothing more through",
  overloaded: "more requests would have made the overload worse",
  request_budget: "calls for the same inbound request were repeated often enough",
  answer_begun: "the caller had begun to get the answer",
  deadline: "no time was left",
  aborted: "the caller gave up",
};

/** What there was instead, because a circuit breaker was open. */
const FALLBACKS: Readonly<Record<string, string>> = {
  response: "the breaker is open, so policy's own answer was given",
  stale: "the breaker is open, so the last good answer was given",
  destination: "the breaker is open, so another destination was called",
};

/** @param from the service that made the call */
export function requestStory(from: string, request: RequestView): string {
  const { method, authority, path, route, status, error, durationMs, meshUs, faultMs, noRetry, replayed, would } =
    request;
  const head = `${method} http://${authority}${path} from ${from}${route === "" ? "" : `, route ${route}`}`;
  const parts = [
    ...(faultMs > 0 ? [`delayed on purpose by ${formatMillis(faultMs)}`] : []),
    ...(error === "FAULT_ABORTED" ? ["aborted on purpose, nothing was sent"] : []),
    ...(request.fallback === undefined ? [] : [FALLBACKS[request.fallback] ?? request.fallback]),
    ...request.attempts.map((attempt, index) => attemptWords(attempt, request.attempts[index - 1])),
    ...(replayed ? ["sent again at once because the kept-alive connection had been closed"] : []),
    ...(error === "" || error === "FAULT_ABORTED"
      ? []
      : [`${error}${NO_RETRY[noRetry] === undefined ? "" : `: ${NO_RETRY[noRetry]}`}`]),
    `the caller got ${status === 0 ? "no answer" : status} after ${formatMillis(durationMs)}`,
    ...(would && would.text !== "the same" ? [`with policy on: ${would.text}`] : []),
    `mesh cost ${meshUs < 10 ? Math.round(meshUs * 10) / 10 : Math.round(meshUs)} us`,
  ];
  return `${head}: ${parts.join("; ")}`;
}

/** Whether there is something to tell: more than one attempt, a failure, or a fault; also one that policy would have made. */
export function isEventful({ attempts, error, status, faultMs, fallback, replayed, would }: RequestView): boolean {
  if (attempts.length > 1 || error !== "" || status >= 500 || faultMs > 0 || replayed) return true;
  if (fallback !== undefined) return true;
  return would ? would.status >= 400 || would.retried || would.timedOut || would.delayMs > 0 : false;
}

function attemptWords(
  { number, endpoint, version, outcome, status, durationMs }: AttemptView,
  before: AttemptView | undefined,
): string {
  const again = before?.number === number ? " again" : "";
  const where = `${endpoint}${version === "" ? "" : ` (${version})`}`;
  if (/^answered/.test(outcome) && status < 400)
    return `attempt ${number}${again} ${where} ok after ${formatMillis(durationMs)}`;
  return `attempt ${number}${again} ${where} ${outcome} after ${formatMillis(durationMs)}`;
}

/** `0.4 ms`, `12 ms`, `3.2 s`. */
export function formatMillis(ms: number): string {
  if (ms < 10) return `${Math.round(ms * 10) / 10} ms`;
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 100) / 10} s`;
}
