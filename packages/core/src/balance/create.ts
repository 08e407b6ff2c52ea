/** The balancer that policy asks for. */

import type { TrafficPolicy } from "@inmesh/model";
import type { ClientZones } from "../locality/group-endpoints.js";
import { LocalityBalancer } from "../locality/locality-balancer.js";
import type { Clock } from "../runtime/clock.js";
import type { Random } from "../runtime/random.js";
import type { Balancer } from "./balancer.js";
import { HashBalancer } from "./hash-balancer.js";
import { LeastRequest } from "./least-request.js";
import { PeakEwma } from "./peak-ewma.js";
import { Prequal } from "./prequal.js";
import { RandomBalancer } from "./random.js";
import { RoundRobin } from "./round-robin.js";
import { Subset } from "./subset.js";
import { WarmUp } from "./warm-up.js";
import type { XxHashLoader } from "./xx-hash.js";

export interface BalancerOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Used by hashed picks only, and loaded by whoever computes the hashes. */
  readonly xxHash: XxHashLoader;
  /** Of this process, unique among its kind. */
  readonly instance: string;
  /** Where the processes of the client's service run. */
  readonly clientZones: () => ClientZones;
}

/** Parts of the policy of a cluster that make its balancer. */
export type BalancingPolicy = Pick<TrafficPolicy, "loadBalancer" | "hash" | "warmup" | "locality" | "subsetSize">;

/** Equal for policies that balance alike. */
export function balancingKey({ loadBalancer, hash, warmup, locality, subsetSize }: BalancingPolicy): string {
  return JSON.stringify([loadBalancer, hash, warmup, locality, subsetSize]);
}

/** Localities are drawn first; of each, or of all where they are one, a subset is used; of that the strategy picks. */
export function createBalancer(policy: BalancingPolicy, options: BalancerOptions): Balancer {
  const { locality } = policy;
  if (locality === undefined) return perGroup(policy, options);
  return new LocalityBalancer(locality, { ...options, make: () => perGroup(policy, options) });
}

function perGroup(policy: BalancingPolicy, options: BalancerOptions): Balancer {
  const { hash, subsetSize } = policy;
  const balancer = hash === undefined ? byLoad(policy, options) : new HashBalancer(hash, options);
  if (subsetSize === undefined) return balancer;
  return new Subset({ size: subsetSize, instance: options.instance, balancer });
}

/** `passThrough` clusters have no list to choose from: their runtime makes the endpoint from the request itself. */
function byLoad({ loadBalancer, warmup }: BalancingPolicy, { random }: BalancerOptions): Balancer {
  const warmUp = warmup && new WarmUp(warmup);
  switch (loadBalancer) {
    case "roundRobin":
      return new RoundRobin({ random, warmUp });
    case "random":
    case "passThrough":
      return new RandomBalancer({ random });
    case "prequal":
      return new Prequal({ random });
    case "peakEwma":
      return new PeakEwma({ random });
    case "leastRequest":
      return new LeastRequest({ random, warmUp });
  }
}
