/** Envoy's retry conditions by name, applied to what one attempt brought (policy-semantics §1.7). */

import type { RetryPolicy } from "@inmesh/model";
import type { HeaderReader } from "../call/attempt.js";
import type { MeshErrorCode } from "../errors.js";

/** gRPC status numbers of the conditions named after them; they count in an answer's head only. */
const GRPC_CONDITIONS: ReadonlyMap<string, string> = new Map([
  ["1", "cancelled"],
  ["4", "deadline-exceeded"],
  ["8", "resource-exhausted"],
  ["13", "internal"],
  ["14", "unavailable"],
]);

/** Whether an answer with this status is worth another attempt. */
export function retriesAnswer(policy: RetryPolicy, status: number, header: HeaderReader): boolean {
  if (!isRetriable(policy, status, header)) return false;
  // A refusal on purpose: the peer is overloaded or limits us, and more requests make it worse.
  if (header("x-envoy-overloaded") !== undefined) return false;
  return header("x-envoy-ratelimited") === undefined || policy.on.has("envoy-ratelimited");
}

function isRetriable({ on, statusCodes }: RetryPolicy, status: number, header: HeaderReader): boolean {
  if (statusCodes.has(status)) return true;
  if (status >= 500 && on.has("5xx")) return true;
  if (status >= 502 && status <= 504 && on.has("gateway-error")) return true;
  if (status === 409 && on.has("retriable-4xx")) return true;
  if (status === 429 && on.has("envoy-ratelimited")) return header("x-envoy-ratelimited") !== undefined;
  if (status !== 200 || on.size === 0) return false;
  const grpcStatus = header("grpc-status");
  return grpcStatus !== undefined && on.has(GRPC_CONDITIONS.get(grpcStatus) ?? "");
}

/** Conditions under which an attempt without an answer is worth another. */
const FAILURE_CONDITIONS: Partial<Record<MeshErrorCode, readonly string[]>> = {
  CONNECT_FAILED: ["connect-failure", "reset", "reset-before-request", "5xx", "gateway-error"],
  UPSTREAM_RESET: ["reset", "5xx", "gateway-error"],
  UPSTREAM_PROTOCOL: ["reset", "5xx", "gateway-error"],
  PER_TRY_TIMEOUT: ["reset", "5xx", "gateway-error"],
};

export function retriesFailure({ on }: RetryPolicy, code: MeshErrorCode): boolean {
  return FAILURE_CONDITIONS[code]?.some((condition) => on.has(condition)) ?? false;
}
