/** Everything one node was sent, as far as it was good. */

import type { ClusterAssignment } from "../client/endpoint/assignment.js";
import type { DiscoveredCluster } from "./cluster.js";
import type { DiscoveredListener } from "./listener.js";
import type { RouteConfiguration } from "./route-configuration.js";

/** By name. A map that did not change is the same object as before. */
export interface EnvoyResources {
  readonly listeners: ReadonlyMap<string, DiscoveredListener>;
  readonly routes: ReadonlyMap<string, RouteConfiguration>;
  /** Tables that the control plane says there are none of. */
  readonly missingRoutes: ReadonlySet<string>;
  /** Hosts, `reviews:9080`, whose clusters are all told; absent where every cluster there is is told anyway. */
  readonly ready?: ReadonlySet<string>;
  readonly clusters: ReadonlyMap<string, DiscoveredCluster>;
  /** By the name under which endpoints are asked for; absent: not told yet. */
  readonly endpoints: ReadonlyMap<string, ClusterAssignment>;
}

export const NO_RESOURCES: EnvoyResources = {
  listeners: new Map(),
  routes: new Map(),
  missingRoutes: new Set(),
  clusters: new Map(),
  endpoints: new Map(),
};
