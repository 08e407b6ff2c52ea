/** Rules of fault injection. policy-semantics §1.8. */

import type { HttpFaultSpec } from "../kind/virtual-service.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import { GRPC_STATUS_NAMES } from "../snapshot/grpc-status-names.js";
import { nearestName } from "./nearest-name.js";
import type { Report } from "./report.js";

/** Below this share of a percent Envoy cannot count. */
const LEAST_PERCENT = 0.0001;

export function checkFault(fault: HttpFaultSpec | undefined, path: Path, report: Report): void {
  if (fault === undefined) return;
  const { delay, abort } = fault;
  if (delay === undefined && abort === undefined)
    report.error(path, "the fault has neither delay nor abort. Write one, or remove it.");
  if (delay?.exponentialDelay !== undefined) {
    report.error(
      [...path, "delay", "exponentialDelay"],
      "exponentialDelay is not supported, by Istio neither. Use fixedDelay.",
    );
  }
  checkShare(delay?.percentage?.value, [...path, "delay", "percentage", "value"], report);
  if (abort === undefined) return;
  checkShare(abort.percentage?.value, [...path, "abort", "percentage", "value"], report);
  const { httpStatus, grpcStatus, http2Error } = abort;
  const at = [...path, "abort"];
  if (http2Error !== undefined)
    report.error([...at, "http2Error"], "http2Error is not supported, by Istio neither. Use httpStatus.");
  else if (grpcStatus !== undefined) report.check([...at, "grpcStatus"], grpcStatusFault(grpcStatus));
  else if (httpStatus !== undefined) report.check([...at, "httpStatus"], statusFault(httpStatus));
  else report.warn(at, "the abort has no status, so nothing is aborted. Set httpStatus or grpcStatus.");
}

/** Differs: Istio lets 600 through as well; so does this check, to refuse nothing that runs there. */
export function statusFault(status: number): string | undefined {
  return status >= 200 && status <= 600 ? undefined : `found status ${status}, expected 200 to 599. Correct it.`;
}

function grpcStatusFault(name: string): string | undefined {
  if (GRPC_STATUS_NAMES.includes(name)) return undefined;
  const near = nearestName(name, GRPC_STATUS_NAMES);
  return `${quote(name)} is no gRPC status. ${near === undefined ? "Write a name such as UNAVAILABLE." : `Did you mean ${near}?`}`;
}

function checkShare(percent: number | undefined, path: Path, report: Report): void {
  if (percent === undefined || percent === 0 || (percent >= LEAST_PERCENT && percent <= 100)) return;
  report.error(path, `found ${percent} percent, expected 0, or 0.0001 to 100. Correct it.`);
}
