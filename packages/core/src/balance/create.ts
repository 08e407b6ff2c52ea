/** The balancer that policy asks for. */

import type { TrafficPolicy } from "@inmesh/model";
import type { Clock } from "../runtime/clock.js";
import type { Random } from "../runtime/random.js";
import type { Balancer } from "./balancer.js";
import { HashBalancer } from "./hash-balancer.js";
import { LeastRequest } from "./least-request.js";
import { PeakEwma } from "./peak-ewma.js";
import { RandomBalancer } from "./random.js";
import { RoundRobin } from "./round-robin.js";
import type { XxHashLoader } from "./xx-hash.js";

export interface BalancerOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Used by hashed picks only, and loaded by whoever computes the hashes. */
  readonly xxHash: XxHashLoader;
}

/** Parts of the policy of a cluster that make its balancer. */
export type BalancingPolicy = Pick<TrafficPolicy, "loadBalancer" | "hash" | "warmup" | "locality" | "subsetSize">;

/** Equal for policies that balance alike. */
export function balancingKey({ loadBalancer, hash, warmup, locality, subsetSize }: BalancingPolicy): string {
  return JSON.stringify([loadBalancer, hash, warmup, locality, subsetSize]);
}

export function createBalancer(policy: BalancingPolicy, options: BalancerOptions): Balancer {
  return policy.hash === undefined ? byLoad(policy, options) : new HashBalancer(policy.hash, options);
}

/** `passThrough` clusters have no list to choose from: their runtime makes the endpoint from the request itself. */
function byLoad({ loadBalancer }: BalancingPolicy, options: BalancerOptions): Balancer {
  switch (loadBalancer) {
    case "roundRobin":
      return new RoundRobin(options);
    case "random":
    case "passThrough":
      return new RandomBalancer(options);
    case "prequal":
    case "peakEwma":
      return new PeakEwma(options);
    case "leastRequest":
      return new LeastRequest(options);
  }
}
