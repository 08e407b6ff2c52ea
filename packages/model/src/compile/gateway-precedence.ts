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

export interface GatewayRules {
  /** Oldest first, all for this port: their rules are one list. */
  readonly routes: readonly GatewayRoute[];
  /** Written by the caller's namespace for a service of another one. */
  readonly fromCaller: boolean;
}

/** Undefined when there are none. Routes of the caller's namespace take the place of those of the service's. */
export function gatewayRulesFor(host: string, port: number, service: Service, ask: Ask): GatewayRules | undefined {
  const found = new Map<GatewayRoute, boolean>();
  for (const key of [host, service.resource]) {
    if (key === "") continue; // a service that no document declares
    const means = (parent: GatewayParent) => parent.key === key && meansPort(parent, service, port);
    for (const route of ask(gatewayRoutesOf, key)) {
      const parent = gatewayParents(route).find(means);
      if (parent !== undefined) found.set(route, route.namespace !== parent.namespace);
    }
  }
  if (found.size === 0) return undefined;
  const fromCaller = [...found.values()].includes(true);
  const routes = [...found].filter(([, isCallers]) => isCallers === fromCaller).map(([route]) => route);
  return { routes: routes.sort(compareGatewayAge), fromCaller };
}

/**
 * One of the two is used whole, they are never merged. Istio's order: what the caller's namespace wrote for itself, then
 * VirtualServices that are not for everybody, then routes of Gateway API of the caller's namespace, then whoever is older. A
 * VirtualService that means the host by a wildcard only comes last.
 */
export function gatewayComesFirst(
  { routes, fromCaller }: GatewayRules,
  virtualService: Resource<VirtualServiceSpec>,
  namesHost: boolean,
  { namespace }: ClientContext,
  defaultExportTo: readonly string[],
): boolean {
  if (fromCaller || !namesHost) return true;
  if (!effectiveExportTo(virtualService.spec.exportTo, defaultExportTo).includes("*")) return false;
  const [oldest] = routes;
  return oldest === undefined || oldest.namespace === namespace || compareAge(oldest, virtualService) < 0;
}
