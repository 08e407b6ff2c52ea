/** Answers of the mesh in front of an application: what callers, and callers' meshes, are to make of them. */

import type { RateLimitPolicy } from "@inmesh/model";
import { NOT_PROCESSED_HEADER } from "../call/mesh-headers.js";
import { MESH_ERRORS, type MeshErrorCode } from "../errors.js";
import { wholeSeconds } from "../rate-limit/rate-limit-headers.js";
import type { TakenTokens } from "../rate-limit/rate-limits.js";
import type { Overload } from "./admission.js";

export interface Rejection {
  readonly code: Extract<
    MeshErrorCode,
    | "RATE_LIMITED"
    | "RATE_LIMIT_UNAVAILABLE"
    | "OVERLOADED"
    | "DEADLINE_EXCEEDED"
    | "ACCESS_DENIED"
    | "TOKEN_INVALID"
    | "REQUEST_INVALID"
    | "CONFIG_UNAVAILABLE"
  >;
  readonly status: number;
  readonly grpcStatus: number;
  /** Flat `[name, value, …]`, without the body's length; its type, where it is not text/plain. */
  readonly headers: readonly string[];
  /** Envoy's words in the first line; what happened here in the second, where the caller may know. Bytes: somebody else's words. */
  readonly body: string | Uint8Array;
}

// Elsewhere there is no more for a caller that has had its share, nor for one that waits no longer: only who meets too much to
// do is told that the request may be sent anew.

/** For who is told that there is too much to do, in s: it may be over in a moment, and elsewhere there may be less. */
const OVERLOAD_RETRY_S = 1;

export function rateLimited({ policy }: { readonly policy: RateLimitPolicy }, taken: TakenTokens): Rejection {
  const { retryAfter } = taken;
  const { name, requests, perMs } = policy;
  return rejection(
    "RATE_LIMITED",
    "local_rate_limited",
    `rate limit "${name}" allows ${requests} requests per ${perMs} ms and they are used up: try again in ${retryAfter} s`,
    ["Retry-After", String(retryAfter), ...taken.headers(), "x-envoy-ratelimited", "true"],
  );
}

/**
 * @param waitMs until its window ends, as the service has it; 0: it does not say
 * @param more lines for the answer, flat
 * @param body of the service's; undefined: the mesh's own words
 */
export function sharedLimitReached(
  name: string,
  service: string,
  waitMs: number,
  more: readonly string[],
  body: Uint8Array | undefined,
): Rejection {
  const seconds = wholeSeconds(waitMs);
  const own = rejection(
    "RATE_LIMITED",
    "rate_limited",
    `rate limit "${name}" is used up for all processes together, ${service} says: try again in ${seconds} s`,
    ["Retry-After", String(seconds), ...more, "x-envoy-ratelimited", "true"],
  );
  return body === undefined ? own : { ...own, body };
}

export function rateLimitUnavailable(service: string): Rejection {
  return rejection(
    "RATE_LIMIT_UNAVAILABLE",
    "rate_limiter_error",
    `the rate limit service ${service} did not answer, and nobody passes without its word (failureModeDeny)`,
    [],
  );
}

export function overloaded({ text }: Overload, priority: string): Rejection {
  return rejection(
    "OVERLOADED",
    "overload",
    `${text}: a request of priority ${priority} is turned away before it began, so it may be sent to another endpoint`,
    ["Retry-After", String(OVERLOAD_RETRY_S), "x-envoy-overloaded", "true", NOT_PROCESSED_HEADER, "true"],
  );
}

export const DEADLINE_PASSED: Rejection = rejection(
  "DEADLINE_EXCEEDED",
  "upstream request timeout",
  "the caller's deadline had passed when the request arrived, so nobody waits for its answer",
  [],
);

function rejection(code: Rejection["code"], phrase: string, message: string, headers: readonly string[]): Rejection {
  const { status, grpcStatus } = MESH_ERRORS[code];
  return {
    ...{ code, status, grpcStatus },
    headers: [...headers, "x-inmesh-error", code],
    body: `${phrase}\n${message} (${code})`,
  };
}
