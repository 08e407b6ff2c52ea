/** What rules lead to comes along with them through a Sidecar. policy-semantics §3.3. */

import type { VirtualServiceSpec } from "../kind/virtual-service.js";
import type { Resource } from "../resource.js";
import { getOrMake } from "./get-or-make.js";
import { qualifiedHost } from "./host.js";

/**
 * Ports that rules send to, by host; 0: whatever port is addressed. A Sidecar that lets a rule through lets these through for
 * it, not for direct calls.
 */
export type RoutedPorts = ReadonlyMap<string, ReadonlySet<number>>;

export const NOTHING_ROUTED: RoutedPorts = new Map();

/** Of imported VirtualServices, and of Gateway API routes, whose backends are taken with all their ports. */
export function routedPorts(
  resources: readonly Resource<VirtualServiceSpec>[],
  backends: Iterable<string>,
): RoutedPorts {
  const routed = new Map<string, Set<number>>();
  const add = (host: string, port: number) => getOrMake(routed, host, () => new Set<number>()).add(port);
  for (const { spec, namespace } of resources) {
    for (const { route = [], mirror, mirrors = [] } of spec.http ?? []) {
      const destinations = [...route.map((one) => one.destination), mirror, ...mirrors.map((one) => one.destination)];
      for (const destination of destinations) {
        add(qualifiedHost(destination?.host ?? "", namespace), destination?.port?.number ?? 0);
      }
    }
  }
  for (const host of backends) add(host, 0);
  return routed;
}

export function isRouted(routed: RoutedPorts, host: string, port: number): boolean {
  const ports = routed.get(host);
  return ports !== undefined && (ports.has(0) || ports.has(port));
}
