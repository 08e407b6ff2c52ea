/** Which HTTPRoutes and GRPCRoutes may speak to a client, by parent. policy-semantics §5.1. */

import type { ClientContext } from "../snapshot/snapshot.js";
import { compareGatewayAge, type GatewayRoute, gatewayBackend, gatewayParents } from "./gateway-parent.js";
import { getOrMake } from "./get-or-make.js";
import { sameList } from "./order.js";
import type { SidecarScope } from "./sidecar-scope.js";

const NONE: readonly GatewayRoute[] = [];

export class GatewayRouteIndex {
  readonly #byParent = new Map<string, readonly GatewayRoute[]>();
  readonly #used = new Set<GatewayRoute>();

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
        this.#used.add(resource);
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

  /** Hosts that requests or their copies are sent to: a Sidecar that lets a route through lets its backends through. */
  *backendHosts(): Iterable<string> {
    for (const { spec, namespace } of this.#used) {
      for (const { backendRefs = [], filters = [] } of spec.rules ?? []) {
        const mirrors = filters.flatMap(({ requestMirror }) => requestMirror?.backendRef ?? []);
        for (const ref of [...backendRefs, ...mirrors]) {
          const backend = gatewayBackend(ref, namespace);
          if (backend !== undefined) yield backend.host;
        }
      }
    }
  }
}
