/** Whom an HTTPRoute or a GRPCRoute speaks for: Services by host, ServiceEntries by their key. policy-semantics §5.1. */

import type { GatewayRouteSpec } from "../kind/gateway-grpc-route.js";
import type { GatewayBackendObjectSpec } from "../kind/gateway-http-route.js";
import type { Kind, Resource } from "../resource.js";
import { clusterName } from "../snapshot/cluster.js";
import type { Destination } from "../snapshot/route.js";
import type { Service } from "../snapshot/workload.js";
import { compareCreation } from "./order.js";
import { serviceHost } from "./services.js";

export const GATEWAY_ROUTE_KINDS = ["HTTPRoute", "GRPCRoute"] as const satisfies readonly Kind[];

/** Of either kind. */
export type GatewayRoute = Resource<GatewayRouteSpec>;

export function isGatewayRouteKind(kind: string): kind is (typeof GATEWAY_ROUTE_KINDS)[number] {
  return (GATEWAY_ROUTE_KINDS as readonly string[]).includes(kind);
}

export interface GatewayParent {
  /** Host of a Service, or `ServiceEntry/ns/name`. */
  readonly key: string;
  readonly namespace: string;
  /** Only this one; undefined for all. */
  readonly port: number | undefined;
  /** Only the port of this name; empty for all. */
  readonly sectionName: string;
  /** Position among the parentRefs. */
  readonly index: number;
}

const ISTIO_GROUP = "networking.istio.io";

/** Parents of the mesh: those that are Gateways are for others. */
export function gatewayParents({ spec, namespace: own }: GatewayRoute): readonly GatewayParent[] {
  return (spec.parentRefs ?? []).flatMap((ref, index): readonly GatewayParent[] => {
    const { group, kind, name = "", namespace = own, port, sectionName = "" } = ref;
    const key =
      group === "" && kind === "Service"
        ? serviceHost(name, namespace)
        : group === ISTIO_GROUP && kind === "ServiceEntry"
          ? `ServiceEntry/${namespace}/${name}`
          : undefined;
    return key === undefined ? [] : [{ key, namespace, port, sectionName, index }];
  });
}

/** The parent means this port of the service. */
export function meansPort({ port, sectionName }: GatewayParent, service: Service, addressed: number): boolean {
  if (port !== undefined && port !== addressed) return false;
  if (sectionName === "") return true;
  return service.ports.some(({ name, number }) => name === sectionName && number === addressed);
}

export type GatewayBackend = Omit<Destination, "weight">;

/**
 * Where a backendRef leads; undefined for a kind that is not known. Qualified by the namespace of the route.
 * policy-semantics §5.3.
 */
export function gatewayBackend(ref: GatewayBackendObjectSpec, own: string): GatewayBackend | undefined {
  const { group = "", kind = "Service", name = "", namespace = own, port = 0 } = ref;
  const isService = group === "" && kind === "Service";
  if (!isService && !(group === ISTIO_GROUP && kind === "Hostname")) return undefined;
  const host = isService ? serviceHost(name, namespace) : name.toLowerCase();
  return { cluster: clusterName(port, "", host), host, port, subset: "" };
}

/** Older first, then namespace, then name: the order of Gateway API, which is not Istio's. */
export function compareGatewayAge(a: GatewayRoute, b: GatewayRoute): number {
  const age = compareCreation(a, b);
  if (age !== 0) return age;
  const nameA = `${a.namespace}/${a.name}`;
  const nameB = `${b.namespace}/${b.name}`;
  return nameA < nameB ? -1 : nameA > nameB ? 1 : 0;
}
