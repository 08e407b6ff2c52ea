/** outlier_detection of a cluster. Envoy judges by consecutive errors unless told otherwise, gRPC by rates only (gRFC A50). */

import type { OutlierPolicy } from "@inmesh/model";
import { type Findings, known } from "./refusal.js";
import { durationMs, type Fields } from "./schema.js";

export type OutlierSpec = Fields<{
  consecutive_5xx: number;
  interval: string;
  base_ejection_time: string;
  max_ejection_percent: number;
  enforcing_consecutive_5xx: number;
  enforcing_success_rate: number;
  success_rate_minimum_hosts: number;
  success_rate_request_volume: number;
  success_rate_stdev_factor: number;
  consecutive_gateway_failure: number;
  enforcing_consecutive_gateway_failure: number;
  split_external_local_origin_errors: boolean;
  consecutive_local_origin_failure: number;
  enforcing_consecutive_local_origin_failure: number;
  enforcing_local_origin_success_rate: number;
  failure_percentage_threshold: number;
  enforcing_failure_percentage: number;
  enforcing_failure_percentage_local_origin: number;
  failure_percentage_minimum_hosts: number;
  failure_percentage_request_volume: number;
  max_ejection_time: string;
  always_eject_one_host: boolean;
}>;

const READ = known(
  ...["consecutive_5xx", "interval", "base_ejection_time", "max_ejection_percent", "enforcing_consecutive_5xx"],
  ...[
    "enforcing_success_rate",
    "success_rate_minimum_hosts",
    "success_rate_request_volume",
    "success_rate_stdev_factor",
  ],
  ...["consecutive_gateway_failure", "enforcing_consecutive_gateway_failure", "split_external_local_origin_errors"],
  ...[
    "consecutive_local_origin_failure",
    "enforcing_consecutive_local_origin_failure",
    "enforcing_local_origin_success_rate",
  ],
  ...["failure_percentage_threshold", "enforcing_failure_percentage", "enforcing_failure_percentage_local_origin"],
  ...[
    "failure_percentage_minimum_hosts",
    "failure_percentage_request_volume",
    "max_ejection_time",
    "always_eject_one_host",
  ],
);

/** Envoy's, in ms and per cent. */
const INTERVAL_MS = 10_000;
const BASE_MS = 30_000;
const MOST_MS = 300_000;
const MOST_PERCENT = 10;
const ERRORS = 5;
/** Of google.protobuf.Duration, in s. */
const LONGEST_S = 315_576_000_000;

/** @param minHealthRatio common_lb_config.healthy_panic_threshold, 0–1 */
export function compileOutlier(spec: OutlierSpec, minHealthRatio: number, findings: Findings): OutlierPolicy {
  findings.unread(spec, READ, "outlier_detection");
  check(spec, findings);
  const baseEjectionMs = durationMs(spec.base_ejection_time, BASE_MS);
  const errors = enforced(spec.consecutive_5xx ?? ERRORS, spec.enforcing_consecutive_5xx ?? 100);
  const gateway = enforced(spec.consecutive_gateway_failure ?? ERRORS, spec.enforcing_consecutive_gateway_failure ?? 0);
  const local = enforced(
    spec.consecutive_local_origin_failure ?? ERRORS,
    spec.enforcing_consecutive_local_origin_failure ?? 100,
  );
  const byRate = spec.enforcing_success_rate ?? 100;
  const byShare = spec.enforcing_failure_percentage ?? 0;
  return {
    consecutiveErrors: errors,
    consecutiveGatewayErrors: gateway,
    splitsLocalErrors: spec.split_external_local_origin_errors ?? false,
    consecutiveLocalErrors: local,
    errorStatuses: [],
    intervalMs: durationMs(spec.interval, INTERVAL_MS),
    baseEjectionMs,
    maxEjectionMs: Math.max(durationMs(spec.max_ejection_time, MOST_MS), baseEjectionMs),
    maxEjectionRatio: (spec.max_ejection_percent ?? MOST_PERCENT) / 100,
    minHealthRatio,
    ...(spec.always_eject_one_host && { ejectsOne: true }),
    ...(byRate > 0 && {
      successRate: {
        minEndpoints: spec.success_rate_minimum_hosts ?? 5,
        minRequests: spec.success_rate_request_volume ?? 100,
        enforcedRatio: byRate / 100,
        deviations: (spec.success_rate_stdev_factor ?? 1_900) / 1_000,
      },
    }),
    ...(byShare > 0 && {
      failureShare: {
        minEndpoints: spec.failure_percentage_minimum_hosts ?? 5,
        minRequests: spec.failure_percentage_request_volume ?? 50,
        enforcedRatio: byShare / 100,
        ratio: (spec.failure_percentage_threshold ?? 85) / 100,
      },
    }),
  };
}

/** So many in a row eject, for a share of the verdicts; no share: never. */
function enforced(count: number, percent: number): number {
  return percent > 0 ? count : 0;
}

function check(spec: OutlierSpec, findings: Findings): void {
  for (const name of ["interval", "base_ejection_time", "max_ejection_time"] as const) {
    const seconds = durationMs(spec[name], 0) / 1_000;
    if (!(seconds >= 0 && seconds <= LONGEST_S)) findings.fault(`outlier_detection.${name} is ${spec[name]}`);
  }
  for (const [name, value] of Object.entries(spec)) {
    const isPercent =
      name.startsWith("enforcing_") || name.endsWith("_percent") || name === "failure_percentage_threshold";
    if (isPercent && Number(value) > 100) findings.fault(`outlier_detection.${name} is ${value}, expected at most 100`);
  }
}
