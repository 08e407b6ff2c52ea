/** Retries of a rule with Istio's defaults. policy-semantics §1.7. */

import type { HttpRetrySpec } from "../kind/virtual-service.js";
import type { RetryPolicy } from "../snapshot/route.js";
import { durationMs } from "./duration-ms.js";

const DEFAULT_RETRIES = 2;
const DEFAULT_TOKENS = ["connect-failure", "refused-stream", "unavailable", "cancelled"];
/** Envoy's: waits grow from this and are capped at ten times as much. In ms. */
const BACKOFF_BASE_MS = 25;
const BACKOFF_CAP = 10;

/**
 * @param spec the rule's block, or the mesh's default; without either two retries on what cannot have been carried out
 * @param timeoutMs of the rule; a perTryTimeout that is not shorter is ignored, as in Envoy. 0 for none
 * @param hashed the only destination picks by hash: the same host is tried again unless policy says otherwise
 */
export function compileRetry(spec: HttpRetrySpec | undefined, timeoutMs: number, hashed = false): RetryPolicy {
  const tokens = retryTokens(spec?.retryOn);
  const statusCodes = new Set<number>();
  const on = new Set<string>();
  for (const token of tokens) {
    if (/^\d+$/.test(token)) statusCodes.add(Number(token));
    else on.add(token);
  }
  if (statusCodes.size > 0) on.add("retriable-status-codes");
  const perTryTimeoutMs = durationMs(spec?.perTryTimeout, 0);
  const backoffBaseMs = durationMs(spec?.backoff, BACKOFF_BASE_MS);
  const attempts = spec === undefined ? DEFAULT_RETRIES : Math.max(0, spec.attempts ?? 0);
  return {
    maxAttempts: attempts + 1,
    on,
    statusCodes,
    perTryTimeoutMs: timeoutMs > 0 && perTryTimeoutMs >= timeoutMs ? 0 : perTryTimeoutMs,
    backoffBaseMs,
    backoffMaxMs: backoffBaseMs * BACKOFF_CAP,
    avoidPreviousHosts: spec?.retryIgnorePreviousHosts ?? !hashed,
    retryRemoteLocalities: spec?.retryRemoteLocalities ?? false,
    tokens,
  };
}

/** For MeshMode `off` and `observe`: only what never reached anyone is sent again. */
export const SAFE_RETRY: RetryPolicy = {
  ...compileRetry(undefined, 0),
  on: new Set(["connect-failure", "refused-stream"]),
  tokens: ["connect-failure", "refused-stream"],
};

function retryTokens(retryOn: string | undefined): readonly string[] {
  const tokens = (retryOn ?? "").split(",").map((token) => token.trim());
  const named = tokens.filter((token) => token !== "");
  return named.length === 0 ? DEFAULT_TOKENS : named;
}
