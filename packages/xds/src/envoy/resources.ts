/** Everything one node was sent, as far as it was good. */

import type { EndpointList } from "./assignment.js";
import type { DiscoveredCluster } from "./cluster.js";
import type { DiscoveredListener } from "./listener.js";
import type { RouteConfiguration } from "./route-configuration.js";

/** By name. A map that did not change is the same object as before. */
export interface EnvoyResources {
  readonly listeners: ReadonlyMap<string, DiscoveredListener>;
  readonly routes: ReadonlyMap<string, RouteConfiguration>;
  readonly clusters: ReadonlyMap<string, DiscoveredCluster>;
  /** By the name under which endpoints are asked for; absent: not told yet. */
  readonly endpoints: ReadonlyMap<string, EndpointList>;
}

export const NO_RESOURCES: EnvoyResources = {
  listeners: new Map(),
  routes: new Map(),
  clusters: new Map(),
  endpoints: new Map(),
};
