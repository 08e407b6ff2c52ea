/** Rules of timeouts, retries and session persistence of an HTTPRoute. policy-semantics §5.3. */

import { parseDurationMs } from "../kind/duration.js";
import type { GatewayRuleSpec } from "../kind/gateway-http-route.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import type { Report } from "./report.js";

export function checkTimeouts(timeouts: GatewayRuleSpec["timeouts"], path: Path, report: Report): void {
  const requestMs = parseDurationMs(timeouts?.request ?? "0s") ?? 0;
  const backendMs = parseDurationMs(timeouts?.backendRequest ?? "0s") ?? 0;
  if (requestMs > 0 && backendMs > requestMs) {
    report.error(
      [...path, "backendRequest"],
      `backendRequest (${quote(timeouts?.backendRequest)}) is longer than request (${quote(timeouts?.request)}). Shorten it.`,
    );
  }
}

export function checkRetry(retry: GatewayRuleSpec["retry"], path: Path, report: Report): void {
  if (retry === undefined) return;
  for (const [index, code] of (retry.codes ?? []).entries()) report.range([...path, "codes", index], code, 400, 599);
  if ((retry.attempts ?? 0) < 0) {
    report.error([...path, "attempts"], `found ${retry.attempts}, expected 0 or more. Correct the number.`);
  }
}

export function checkPersistence(session: GatewayRuleSpec["sessionPersistence"], path: Path, report: Report): void {
  if (session === undefined) return;
  const { type = "Cookie", cookieConfig, absoluteTimeout } = session;
  if (type === "Header" && cookieConfig !== undefined) {
    report.error([...path, "cookieConfig"], "cookieConfig is for type Cookie. Remove it, or change the type.");
  }
  if (cookieConfig?.lifetimeType === "Permanent" && absoluteTimeout === undefined) {
    report.error(path, "a Permanent cookie needs an absoluteTimeout. Add one, or write lifetimeType: Session.");
  }
}
