/** Which HTTPRoutes and GRPCRoutes speak for a host and port, and whether before a VirtualService for it. policy-semantics §1.2, §5.1. */

import type { VirtualServiceSpec } from "../kind/virtual-service.js";
import type { Resource } from "../resource.js";
import type { ClientContext } from "../snapshot/snapshot.js";
import type { Service } from "../snapshot/workload.js";
import {
  compareGatewayAge,
  type GatewayParent,
  type GatewayRoute,
  gatewayParents,
  meansPort,
} from "./gateway-parent.js";
import type { Ask } from "./memo.js";
import { compareAge } from "./order.js";
import { gatewayRoutesOf } from "./questions.js";
import { effectiveExportTo } from "./visibility.js";

/**
 * Oldest first, all for this port: their rules are one list. Routes of the caller's namespace take the place of those of
 * the service's.
 */
export function gatewayRoutesFor(host: string, port: number, service: Service, ask: Ask): readonly GatewayRoute[] {
  const found = new Map<GatewayRoute, boolean>();
  for (const key of [host, service.resource]) {
    if (key === "") continue; // a service that no document declares
    const means = (parent: GatewayParent) => parent.key === key && meansPort(parent, service, port);
    for (const route of ask(gatewayRoutesOf, key)) {
      const parent = gatewayParents(route).find(means);
      if (parent !== undefined) found.set(route, route.namespace !== parent.namespace);
    }
  }
  const fromCaller = [...found.values()].includes(true);
  const routes = [...found].filter(([, isCallers]) => isCallers === fromCaller).map(([route]) => route);
  return routes.sort(compareGatewayAge);
}

/**
 * One of the two is used whole, they are never merged. Istio's order, measured: VirtualServices that are not for
 * everybody, then routes of Gateway API of the caller's namespace, whosever service they are for, then whoever is older. A
 * VirtualService that means the host by a wildcard only comes last.
 * @param oldest of the routes for the host
 */
export function gatewayComesFirst(
  oldest: GatewayRoute,
  virtualService: Resource<VirtualServiceSpec>,
  namesHost: boolean,
  { namespace }: ClientContext,
  defaultExportTo: readonly string[],
): boolean {
  if (!namesHost) return true;
  if (!isForEverybody(virtualService, defaultExportTo)) return false;
  return oldest.namespace === namespace || compareAge(oldest, virtualService) < 0;
}

export function isForEverybody({ spec }: Resource<VirtualServiceSpec>, defaultExportTo: readonly string[]): boolean {
  return effectiveExportTo(spec.exportTo, defaultExportTo).includes("*");
}
