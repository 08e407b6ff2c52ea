/** lb_policy and load_balancing_policy: who of a cluster's endpoints gets a call. The latter wins (gRFC A52). */

import { type Findings, Refused } from "./refusal.js";
import { type AnyMessage, anyOf, anyType, type Fields } from "./schema.js";
import {
  compileSlowStart,
  type LbPolicy,
  type LeastRequestSpec,
  type PolicySpec,
  type RingHashSpec,
} from "./traffic-policy.js";

export type ListedPolicy = Fields<{ typed_extension_config: Fields<{ name: string; typed_config: AnyMessage }> }>;

export type CommonLb = Fields<{
  healthy_panic_threshold: Fields<{ value: number }>;
  locality_weighted_lb_config: object;
  zone_aware_lb_config: object;
  override_host_status: object;
}>;

type Profile = "envoy" | "grpc";

const POLICIES = "envoy.extensions.load_balancing_policies";
const RING_SIZE = 1_024;
const LARGEST_RING = 8_388_608;
const MAGLEV_SIZE = 65_537;
/** Policies in policies (gRFC A52). */
const MOST_LEVELS = 16;
/** Envoy's. */
const PANIC_PERCENT = 50;

export function compileLbPolicy(spec: PolicySpec, profile: Profile, findings: Findings): LbPolicy {
  const percent = spec.common_lb_config?.healthy_panic_threshold;
  const panicRatio = profile === "grpc" ? 0 : (percent === undefined ? PANIC_PERCENT : (percent.value ?? 0)) / 100;
  const listed = spec.load_balancing_policy?.policies;
  const chosen = listed === undefined ? byName(spec, profile, findings) : fromList(listed, profile, findings, 1);
  return { ...chosen, panicRatio };
}

type Chosen = Omit<LbPolicy, "panicRatio">;

function byName(spec: PolicySpec, profile: Profile, findings: Findings): Chosen {
  const { lb_policy: name = "ROUND_ROBIN" } = spec;
  switch (name) {
    case "ROUND_ROBIN":
      return { kind: "roundRobin", warmup: compileSlowStart(spec.round_robin_lb_config?.slow_start_config) };
    case "LEAST_REQUEST":
      return leastRequest(spec.least_request_lb_config ?? {}, findings);
    case "RANDOM":
      return { kind: "random" };
    case "RING_HASH":
      return ringHash(spec.ring_hash_lb_config ?? {}, findings);
    case "MAGLEV":
      return maglev(spec.maglev_lb_config?.table_size);
    case "CLUSTER_PROVIDED":
      return { kind: "passThrough" };
    default:
      // Envoy has it and we do not: calls go on in turn. gRPC refuses what it does not know.
      if (profile === "grpc") findings.fault(`lb_policy ${name} is not supported`);
      else findings.notHonoured(`lb_policy ${name}: calls go round robin`);
      return { kind: "roundRobin" };
  }
}

/** The first that is known. */
function fromList(list: readonly ListedPolicy[], profile: Profile, findings: Findings, level: number): Chosen {
  if (level > MOST_LEVELS) throw new Refused(`load_balancing_policy is nested more than ${MOST_LEVELS} deep`);
  for (const { typed_extension_config: { typed_config: any } = {} } of list) {
    switch (anyType(any)) {
      case `${POLICIES}.round_robin.v3.RoundRobin`:
        return { kind: "roundRobin", warmup: slowStartOf(any) };
      case `${POLICIES}.least_request.v3.LeastRequest`:
        return leastRequest(any as unknown as LeastRequestSpec, findings);
      case `${POLICIES}.random.v3.Random`:
        return { kind: "random" };
      case `${POLICIES}.ring_hash.v3.RingHash`:
        return ringHash(any as unknown as RingHashSpec, findings);
      case `${POLICIES}.maglev.v3.Maglev`:
        return maglev((any as unknown as { table_size?: number }).table_size);
      case `${POLICIES}.wrr_locality.v3.WrrLocality`: {
        const wrapped = any as unknown as { endpoint_picking_policy?: { policies?: readonly ListedPolicy[] } };
        return fromList(wrapped.endpoint_picking_policy?.policies ?? [], profile, findings, level + 1);
      }
    }
  }
  const names = list.map(({ typed_extension_config }) => anyType(typed_extension_config?.typed_config)).join(", ");
  findings.fault(`load_balancing_policy has none that is supported: ${names || "it is empty"}`);
  return { kind: "roundRobin" };
}

function slowStartOf(any: AnyMessage | undefined): Chosen["warmup"] {
  const spec = anyOf<{ slow_start_config: object }>(any, `${POLICIES}.round_robin.v3.RoundRobin`);
  return compileSlowStart(spec?.slow_start_config as Parameters<typeof compileSlowStart>[0]);
}

function leastRequest({ choice_count, slow_start_config }: LeastRequestSpec, findings: Findings): Chosen {
  if (choice_count !== undefined && choice_count < 2)
    findings.fault(`choice_count is ${choice_count}, expected at least 2`);
  if (choice_count !== undefined && choice_count > 2)
    findings.notHonoured(`choice_count ${choice_count}: two are drawn`);
  return { kind: "leastRequest", warmup: compileSlowStart(slow_start_config) };
}

function ringHash(
  { minimum_ring_size, maximum_ring_size, hash_function = "XX_HASH" }: RingHashSpec,
  findings: Findings,
): Chosen {
  const least = minimum_ring_size ?? RING_SIZE;
  const most = maximum_ring_size ?? LARGEST_RING;
  if (least > LARGEST_RING || most > LARGEST_RING) findings.fault(`the ring has more than ${LARGEST_RING} points`);
  if (least > most) findings.fault(`minimum_ring_size ${least} is above maximum_ring_size ${most}`);
  if (hash_function !== "XX_HASH" && hash_function !== "DEFAULT_HASH")
    findings.fault(`hash_function ${hash_function} is not supported`);
  return { kind: "leastRequest", hash: { kind: "ringHash", minimumRingSize: least } };
}

function maglev(tableSize = MAGLEV_SIZE): Chosen {
  return { kind: "leastRequest", hash: { kind: "maglev", tableSize } };
}
