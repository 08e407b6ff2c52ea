/** Which HTTPRoutes and GRPCRoutes may speak to a client, by parent. policy-semantics §5.1. */

import type { ClientContext } from "../snapshot/snapshot.js";
import { compareGatewayAge, type GatewayRoute, gatewayBackend, gatewayParents } from "./gateway-parent.js";
import { getOrMake } from "./get-or-make.js";
import { sameList } from "./order.js";
import type { Backend } from "./routed-ports.js";
import type { SidecarScope } from "./sidecar-scope.js";

const NONE: readonly GatewayRoute[] = [];

export class GatewayRouteIndex {
  readonly #byParent = new Map<string, readonly GatewayRoute[]>();
  /** With the hosts of parents for whose sake they are. */
  readonly #used = new Map<GatewayRoute, string[]>();

  /** @param previous whose lists are kept where they hold the same routes */
  constructor(
    resources: readonly GatewayRoute[],
    client: ClientContext,
    scope: SidecarScope | undefined,
    previous: GatewayRouteIndex | undefined,
  ) {
    const lists = new Map<string, Set<GatewayRoute>>();
    for (const resource of resources) {
      // An HTTPRoute without rules has the one that takes everything; a GRPCRoute has none, as with Istio.
      if (resource.kind === "GRPCRoute" && (resource.spec.rules ?? []).length === 0) continue;
      for (const { key, namespace } of gatewayParents(resource)) {
        // A route of the service's own namespace speaks to everybody, any other to callers of its own namespace only.
        if (resource.namespace !== namespace && resource.namespace !== client.namespace) continue;
        if (scope?.narrows === true && !scope.importsVirtualService(resource.namespace, [key])) continue;
        getOrMake(lists, key, () => new Set<GatewayRoute>()).add(resource);
        getOrMake(this.#used, resource, () => []).push(key);
      }
    }
    const before = previous === undefined ? undefined : previous.#byParent;
    for (const [key, routes] of lists) {
      this.#byParent.set(key, sameList(before?.get(key), [...routes].sort(compareGatewayAge)));
    }
  }

  /** Oldest first. @param parent host of a Service, or `ServiceEntry/ns/name` */
  of(parent: string): readonly GatewayRoute[] {
    return this.#byParent.get(parent) ?? NONE;
  }

  /** A Sidecar that lets a route through lets its backends through. */
  *backends(scope: SidecarScope): Iterable<Backend> {
    for (const [{ spec, namespace }, parents] of this.#used) {
      const ports = scope.portsBehind(namespace, parents);
      for (const { backendRefs = [], filters = [] } of spec.rules ?? []) {
        const mirrors = filters.flatMap(({ requestMirror }) => requestMirror?.backendRef ?? []);
        for (const ref of [...backendRefs, ...mirrors]) {
          const backend = gatewayBackend(ref, namespace);
          if (backend !== undefined) yield { host: backend.host, ports };
        }
      }
    }
  }
}
