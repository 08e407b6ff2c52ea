/** Rules of a retry policy; MeshConfig's defaults are one too. policy-semantics §1.7. */

import type { HttpRetrySpec } from "../kind/virtual-service.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import { nearestName } from "./nearest-name.js";
import { isRegisteredStatus } from "./registered-status.js";
import type { Report } from "./report.js";

/** Envoy's conditions, HTTP and gRPC. */
const CONDITIONS: ReadonlySet<string> = new Set([
  "5xx",
  "gateway-error",
  "reset",
  "reset-before-request",
  "connect-failure",
  "retriable-4xx",
  "refused-stream",
  "retriable-status-codes",
  "retriable-headers",
  "envoy-ratelimited",
  "http3-post-connect-failure",
  "cancelled",
  "deadline-exceeded",
  "internal",
  "resource-exhausted",
  "unavailable",
]);

export function checkRetry(retry: HttpRetrySpec | undefined, path: Path, report: Report): void {
  if (retry === undefined) return;
  const { attempts = 0, perTryTimeout, retryOn = "", retryRemoteLocalities } = retry;
  if (attempts < 0) report.error([...path, "attempts"], `attempts is ${attempts}, expected 0 or more. Correct it.`);
  const configured = perTryTimeout !== undefined || retryOn !== "" || retryRemoteLocalities !== undefined;
  if (attempts === 0 && configured) {
    report.error(
      path,
      "attempts is 0 or missing, so there are no retries and the other fields would mean nothing. Set attempts, or remove them.",
    );
  }
  for (const token of retryOn === "" ? [] : retryOn.split(",")) {
    if (CONDITIONS.has(token) || isStatus(token)) continue;
    const near = nearestName(token.trim(), CONDITIONS);
    const hint =
      near === undefined
        ? "Write conditions such as 5xx, or a status, with commas and no spaces."
        : `Did you mean "${near}"?`;
    report.error([...path, "retryOn"], `${quote(token)} is no retry condition. ${hint}`);
  }
}

function isStatus(token: string): boolean {
  return /^\d{3}$/.test(token) && isRegisteredStatus(Number(token));
}
