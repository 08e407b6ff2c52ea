/** outlierDetection of one cluster. policy-semantics §2.6. Without the block there is none; an empty block is Envoy's defaults. */

import type { OutlierDetectionSpec } from "../kind/traffic-policy.js";
import type { OutlierPolicy } from "../snapshot/traffic-policy.js";
import { durationMs } from "./duration-ms.js";

/** Envoy's figures, but for minHealthRatio: Istio writes 0 where Envoy has 50 %, and switches off what judges by success rate. */
const DEFAULTS = {
  consecutiveErrors: 5,
  consecutiveLocalErrors: 5,
  intervalMs: 10_000,
  baseEjectionMs: 30_000,
  maxEjectionMs: 300_000,
  maxEjectionPercent: 10,
} as const;

export function compileOutlierDetection(spec: OutlierDetectionSpec | undefined): OutlierPolicy | undefined {
  if (spec === undefined) return undefined;
  const baseEjectionMs = durationMs(spec.baseEjectionTime, DEFAULTS.baseEjectionMs);
  return {
    consecutiveErrors: spec.consecutive5xxErrors ?? DEFAULTS.consecutiveErrors, // 0 counts: it is a wrapper in the protobuf
    consecutiveGatewayErrors: spec.consecutiveGatewayErrors ?? 0,
    splitsLocalErrors: spec.splitExternalLocalOriginErrors ?? false,
    consecutiveLocalErrors: spec.consecutiveLocalOriginFailures || DEFAULTS.consecutiveLocalErrors,
    errorStatuses: [...new Set(spec.outlierDetectionHttpErrorCodes)].sort((a, b) => a - b),
    intervalMs: durationMs(spec.interval, DEFAULTS.intervalMs),
    baseEjectionMs,
    maxEjectionMs: Math.max(DEFAULTS.maxEjectionMs, baseEjectionMs),
    maxEjectionRatio: (spec.maxEjectionPercent || DEFAULTS.maxEjectionPercent) / 100,
    minHealthRatio: (spec.minHealthPercent ?? 0) / 100,
  };
}
