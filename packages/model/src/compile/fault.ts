/** Injected faults and mirrors: policies that hold for a share of the requests. policy-semantics §0.5, §1.8, §1.9. */

import type { HttpFaultSpec } from "../kind/virtual-service.js";
import type { FaultPolicy } from "../snapshot/route.js";
import { durationMs } from "./duration-ms.js";

/** Without a percentage nobody is delayed or aborted. */
export function compileFault({ delay, abort }: HttpFaultSpec): FaultPolicy | undefined {
  const delayMs = durationMs(delay?.fixedDelay, 0);
  const abortStatus = abort?.httpStatus ?? 0;
  const grpcStatus = abort?.grpcStatus;
  // The deprecated integer counts only where the new field is missing.
  const delayPercent = delay?.percentage === undefined ? (delay?.percent ?? 0) : (delay.percentage.value ?? 0);
  const delayRatio = delayMs === 0 ? 0 : ratio(delayPercent);
  const abortRatio = abortStatus === 0 && grpcStatus === undefined ? 0 : ratio(abort?.percentage?.value ?? 0);
  if (delayRatio === 0 && abortRatio === 0) return undefined;
  return {
    delayRatio,
    delayMs,
    abortRatio,
    abortStatus,
    ...(grpcStatus !== undefined && { abortGrpcStatus: grpcStatus }),
  };
}

/** Whole parts per million, as Envoy counts. */
export function ratio(percent: number): number {
  return Math.min(1, Math.max(0, Math.floor(percent * 10_000) / 1_000_000));
}
