/** Policy of all kinds, drawn for one service at a time. Windows are short, so that a simulation of seconds sees them end. */

import type { FakeCluster, FakeRoute } from "@inmesh/core/testing";
import type { Draw } from "./draw.js";
import { drawCluster } from "./random-cluster.js";
import { drawRoute } from "./random-route.js";

/** What is asked of the calls to one service. */
export interface ServicePolicy {
  readonly route: FakeRoute;
  readonly cluster: Omit<FakeCluster, "endpoints">;
}

/** A service that nobody wrote policy for. */
export const NO_POLICY: ServicePolicy = { route: {}, cluster: {} };

/** @param services all there are */
export function drawPolicy(draw: Draw, service: string, services: readonly string[]): ServicePolicy {
  if (draw.chance(0.1)) return NO_POLICY;
  return { route: drawRoute(draw, service, services), cluster: drawCluster(draw, services) };
}
