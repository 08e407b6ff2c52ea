/** A service, port and subset under one traffic policy: the unit that runtime state hangs on. */

import type { ResourceRef } from "../resource.js";
import type { RuleRef } from "./route.js";
import type { TrafficPolicy } from "./traffic-policy.js";
import type { Service } from "./workload.js";

/** Parts of a traffic policy that replace each other whole. */
export const POLICY_BLOCKS = ["loadBalancer", "connectionPool", "outlierDetection", "tls"] as const;

/** Fields of DestinationRules that give parts of a cluster; absent where none is written. */
export type PolicyFields = Readonly<Partial<Record<(typeof POLICY_BLOCKS)[number] | "subset", RuleRef>>>;

export interface Cluster {
  /** Istio's: `outbound|80|v1|reviews.shop.svc.cluster.local`. */
  readonly name: string;
  readonly service: Service;
  readonly host: string;
  readonly port: number;
  /** Empty for the whole service. */
  readonly subset: string;
  /** An endpoint belongs when its labels contain these. */
  readonly labels: Readonly<Record<string, string>>;
  readonly policy: TrafficPolicy;
  /** The DestinationRule in charge, or null. */
  readonly resource: ResourceRef | null;
  /** For explain; absent where policy arrives compiled, or is not in force. */
  readonly fields?: PolicyFields;
}

export function clusterName(port: number, subset: string, host: string): string {
  return `outbound|${port}|${subset}|${host}`;
}
