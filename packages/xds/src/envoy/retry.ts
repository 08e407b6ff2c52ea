/** retry_policy of a route, or of its virtual host, which the route's replaces whole. */

import type { RetryPolicy } from "@inmesh/model";
import { type Findings, known } from "./refusal.js";
import { type AnyMessage, durationMs, type Fields } from "./schema.js";

interface Named {
  readonly name?: string;
  readonly typed_config?: AnyMessage;
}

export type RetrySpec = Fields<{
  retry_on: string;
  num_retries: number;
  per_try_timeout: string;
  per_try_idle_timeout: string;
  retry_priority: Named;
  retry_host_predicate: readonly Named[];
  host_selection_retry_max_attempts: number;
  retriable_status_codes: readonly number[];
  retry_back_off: Fields<{ base_interval: string; max_interval: string }>;
}>;

const READ = known(
  ...["retry_on", "num_retries", "per_try_timeout", "retry_priority", "retry_host_predicate"],
  ...["host_selection_retry_max_attempts", "retriable_status_codes", "retry_back_off"],
);

/** Envoy's, in ms: waits grow from this and are capped at ten times as much. */
const BASE_MS = 25;
const CAP = 10;
const PREVIOUS_HOSTS = "envoy.retry_host_predicates.previous_hosts";
const PREVIOUS_PRIORITIES = "envoy.retry_priorities.previous_priorities";

export const NO_RETRY: RetryPolicy = Object.freeze({
  maxAttempts: 1,
  on: new Set<string>(),
  statusCodes: new Set<number>(),
  perTryTimeoutMs: 0,
  backoffBaseMs: BASE_MS,
  backoffMaxMs: BASE_MS * CAP,
  avoidPreviousHosts: false,
  retryRemoteLocalities: false,
  tokens: [],
});

/** @param timeoutMs of the route; a time per try that is not shorter is ignored, as in Envoy. 0: none */
export function compileRetryPolicy(spec: RetrySpec, timeoutMs: number, findings: Findings, where: string): RetryPolicy {
  findings.unread(spec, READ, where);
  const {
    num_retries = 1,
    retry_on = "",
    retriable_status_codes = [],
    retry_host_predicate = [],
    retry_priority,
  } = spec;
  const { base_interval, max_interval } = spec.retry_back_off ?? {};
  const backoffBaseMs = durationMs(base_interval, BASE_MS);
  const backoffMaxMs = durationMs(max_interval, backoffBaseMs * CAP);
  // gRPC refuses num_retries 0; Envoy takes it for none, and so does istiod's way to switch retries off.
  if (spec.retry_back_off !== undefined && !(backoffBaseMs > 0 && base_interval !== undefined)) {
    findings.fault(`${where}.retry_back_off has the base interval ${base_interval ?? "none"}, which is not above zero`);
  }
  if (backoffMaxMs < backoffBaseMs) findings.fault(`${where}.retry_back_off.max_interval is below its base_interval`);
  for (const { name = "" } of retry_host_predicate) {
    if (name !== PREVIOUS_HOSTS) findings.notHonoured(`${where}.retry_host_predicate ${name}`);
  }
  const priority = retry_priority?.name;
  if (priority !== undefined && priority !== PREVIOUS_PRIORITIES) {
    findings.notHonoured(`${where}.retry_priority ${priority}`);
  }
  const tokens = retry_on.split(",").flatMap((token) => token.trim() || []);
  const perTryTimeoutMs = durationMs(spec.per_try_timeout, 0);
  return {
    maxAttempts: num_retries + 1,
    on: new Set(tokens),
    statusCodes: new Set(retriable_status_codes),
    perTryTimeoutMs: timeoutMs > 0 && perTryTimeoutMs >= timeoutMs ? 0 : perTryTimeoutMs,
    backoffBaseMs,
    backoffMaxMs,
    avoidPreviousHosts: retry_host_predicate.some(({ name }) => name === PREVIOUS_HOSTS),
    retryRemoteLocalities: priority === PREVIOUS_PRIORITIES,
    tokens,
  };
}
