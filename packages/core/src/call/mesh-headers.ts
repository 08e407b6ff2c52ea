/** Headers by which meshes talk to each other. An application that passes on what it received must not speak for us. */

/** Time the callee has, in whole ms, relative so that clocks need not agree (pitfalls X7). */
export const TIMEOUT_HEADER = "x-inmesh-timeout-ms";
/** Envoy's: 2 for the first retry. Differs: not sent on the first attempt, where it says nothing. */
export const ATTEMPT_HEADER = "x-envoy-attempt-count";
/** Envoy's: the path before policy rewrote it. */
export const ORIGINAL_PATH_HEADER = "x-envoy-original-path";

/**
 * Request: attempts that callers above, and this one, have spent on the same thing, beyond which the callee is not to repeat
 * its own calls (ledger.ts). Absent for none.
 */
export const SPENT_HEADER = "x-inmesh-attempts-spent";
/** On failed answers of meshed servers: attempts that a call made for the request took, in vain. Whoever gets it does not try again. */
export const RETRIED_HEADER = "x-inmesh-retried";

/** On copies that mirrors send, and on the calls made for them: they are not mirrored again. */
export const MIRRORED_HEADER = "x-inmesh-mirrored";

/**
 * Of an answer: `true` on a refusal by the mesh in front of the application, which has not seen the request. So it is safe to
 * send anew, even a POST (pitfalls R12). Clients hide it: an application that passes on what it received must not say it.
 */
export const NOT_PROCESSED_HEADER = "x-inmesh-not-processed";

/**
 * With the first request of each connection over the mesh's own TLS: which workload calls, beyond what its certificate says. Believed
 * as far as it stays in the certificate's namespace; a connection has one caller, so once is enough.
 */
export const WORKLOAD_HEADER = "x-inmesh-workload";
/** Envoy sidecars' word for the same, on every request. Heard, not said. */
export const PEER_METADATA_HEADER = "x-envoy-peer-metadata";
export const PEER_METADATA_ID_HEADER = "x-envoy-peer-metadata-id";

/** Ours to set, and Envoy's overrides of policy by the caller, which a sidecar removes (policy-semantics §7.5, §10.6). */
const RESERVED = new Set([
  TIMEOUT_HEADER,
  ATTEMPT_HEADER,
  ORIGINAL_PATH_HEADER,
  MIRRORED_HEADER,
  SPENT_HEADER,
  WORKLOAD_HEADER,
  PEER_METADATA_HEADER,
  PEER_METADATA_ID_HEADER,
  "x-envoy-expected-rq-timeout-ms",
  "x-envoy-max-retries",
  "x-envoy-retry-on",
  "x-envoy-retry-grpc-on",
  "x-envoy-retriable-status-codes",
  "x-envoy-retriable-header-names",
  "x-envoy-upstream-rq-timeout-ms",
  "x-envoy-upstream-rq-per-try-timeout-ms",
  "x-envoy-upstream-rq-timeout-alt-response",
]);
const SHORTEST = 16;
const LOWER_X = 120;

/** @returns the same array when it holds none of them */
export function withoutMeshHeaders(headers: readonly string[]): readonly string[] {
  for (let index = 0; index < headers.length; index += 2) {
    if (isReserved(headers[index]!)) return headers.filter((_, each) => !isReserved(headers[each & ~1]!)); // flat pairs
  }
  return headers;
}

function isReserved(name: string): boolean {
  return name.length >= SHORTEST && (name.charCodeAt(0) | 32) === LOWER_X && RESERVED.has(name.toLowerCase());
}
