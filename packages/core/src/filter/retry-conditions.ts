/** Envoy's retry conditions by name, applied to what one attempt brought (policy-semantics §1.7). */

import type { RetryPolicy } from "@inmesh/model";
import type { HeaderReader } from "../call/attempt.js";
import type { Call } from "../call/call.js";
import { isGrpc } from "../call/grpc-status.js";
import type { MeshErrorCode } from "../errors.js";

/** What an answer is worth another attempt for, and what a failure. */
export interface RetryConditions {
  answer(call: Call, status: number, header: HeaderReader): boolean;
  failure(code: MeshErrorCode): boolean;
}

/** Conditions named after a gRPC status, by its number. They count in an answer's head only, never in trailers. */
const GRPC_CONDITIONS: readonly (readonly [status: string, condition: string])[] = [
  ["1", "cancelled"],
  ["4", "deadline-exceeded"],
  ["8", "resource-exhausted"],
  ["13", "internal"],
  ["14", "unavailable"],
];

/** Conditions under which an attempt without an answer is worth another. */
const FAILURE_CONDITIONS: { readonly [Code in MeshErrorCode]?: readonly string[] } = {
  CONNECT_FAILED: ["connect-failure", "reset", "reset-before-request", "5xx", "gateway-error"],
  WRONG_PEER: ["connect-failure", "reset", "reset-before-request", "5xx", "gateway-error"],
  UPSTREAM_RESET: ["reset", "5xx", "gateway-error"],
  STREAM_REFUSED: ["refused-stream", "reset", "5xx", "gateway-error"],
  UPSTREAM_PROTOCOL: ["reset", "5xx", "gateway-error"],
  PER_TRY_TIMEOUT: ["reset", "5xx", "gateway-error"],
};

/** Most routes retry under the same conditions, of which one compiled set is a kilobyte and a half. */
export class KnownRetryConditions {
  readonly #known = new Map<string, RetryConditions>();

  of(policy: RetryPolicy): RetryConditions {
    const key = `${[...policy.on].join()}|${[...policy.statusCodes].join()}`;
    let conditions = this.#known.get(key);
    if (conditions === undefined) {
      if (this.#known.size >= MOST_KNOWN) this.#known.clear(); // of policy that is gone, as far as anybody knows
      conditions = compileRetryConditions(policy);
      this.#known.set(key, conditions);
    }
    return conditions;
  }
}

const MOST_KNOWN = 100;

export function compileRetryConditions({ on, statusCodes }: RetryPolicy): RetryConditions {
  const grpc = new Set(GRPC_CONDITIONS.flatMap(([status, condition]) => (on.has(condition) ? status : [])));
  const rateLimited = on.has("envoy-ratelimited");
  const statuses = retriedStatuses(on, statusCodes);
  const codes = new Set(
    Object.entries(FAILURE_CONDITIONS).flatMap(([code, any]) => (any.some((each) => on.has(each)) ? code : [])),
  );

  const retriable = (call: Call, status: number, header: HeaderReader): boolean => {
    if (statuses[status] === 1) return true;
    if (rateLimited && header("x-envoy-ratelimited") !== undefined) return true; // whatever its status
    // Differs: Envoy looks for grpc-status in every answer; here only gRPC requests pay for that.
    return status === 200 && grpc.size > 0 && isGrpc(call) && grpc.has(header("grpc-status") ?? "");
  };
  return {
    answer(call, status, header) {
      if (!retriable(call, status, header)) return false;
      // A refusal on purpose: the peer is overloaded or limits us, and more requests make it worse. Differs: Envoy heeds the
      // second only.
      if (header("x-envoy-overloaded") !== undefined) return false;
      return rateLimited || header("x-envoy-ratelimited") === undefined;
    },
    failure: (code) => codes.has(code),
  };
}

/** By status: 1 where an answer of it is tried again. A plain array, because every answer asks. */
function retriedStatuses(on: ReadonlySet<string>, statusCodes: ReadonlySet<number>): Uint8Array {
  const statuses = new Uint8Array(1_000);
  for (const status of statusCodes) statuses[status] = 1;
  if (on.has("5xx")) statuses.fill(1, 500, 600);
  if (on.has("gateway-error")) statuses.fill(1, 502, 505);
  if (on.has("retriable-4xx")) statuses[409] = 1;
  return statuses;
}
