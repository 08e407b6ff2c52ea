/** Balancer by the name policy gives it. */

import type { LoadBalancerKind } from "@inmesh/model";
import type { Clock } from "../runtime/clock.js";
import type { Random } from "../runtime/random.js";
import type { Balancer } from "./balancer.js";
import { LeastRequest } from "./least-request.js";
import { PeakEwma } from "./peak-ewma.js";
import { RandomBalancer } from "./random.js";
import { RoundRobin } from "./round-robin.js";

export interface BalancerOptions {
  readonly clock: Clock;
  readonly random: Random;
}

/** `passThrough` clusters have no list to choose from: their runtime makes the endpoint from the request itself. */
export function createBalancer(kind: LoadBalancerKind, options: BalancerOptions): Balancer {
  switch (kind) {
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
