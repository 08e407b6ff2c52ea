/** Status conditions of HTTPRoutes and GRPCRoutes, as a controller of Gateway API would write them. policy-semantics §5.5. */

import {
  type GatewayParent,
  type GatewayRoute,
  gatewayBackend,
  gatewayParents,
  isGatewayRouteKind,
  meansPort,
} from "../compile/gateway-parent.js";
import type { ClientView } from "../compile/view.js";
import type { GatewayRouteSpec } from "../kind/gateway-grpc-route.js";
import type { GatewayBackendObjectSpec } from "../kind/gateway-http-route.js";
import type { GatewayParentRefSpec } from "../kind/gateway-route.js";
import type { Document, Resource } from "../resource.js";
import type { Service, Workload } from "../snapshot/workload.js";
import { type Validated, validateDocument } from "../validate/validate-document.js";
import { analyzedSet } from "./views.js";

/** Whose conditions these are among those of other readers of the same document. */
export const GATEWAY_CONTROLLER = "inmesh.dev/mesh";

export interface GatewayCondition {
  readonly type: "Accepted" | "ResolvedRefs";
  readonly status: "True" | "False";
  readonly reason:
    | "Accepted"
    | "NoMatchingParent"
    | "UnsupportedValue"
    | "ResolvedRefs"
    | "InvalidKind"
    | "BackendNotFound";
  readonly message: string;
}

export interface GatewayParentStatus {
  readonly parentRef: GatewayParentRefSpec;
  readonly controllerName: string;
  readonly conditions: readonly GatewayCondition[];
}

/**
 * By key of the document. Parents that are Gateways have none of ours: they are for other controllers. Neither has a
 * route whose schema does not hold, since its parents are not known.
 * @param documents all there are: Services and ServiceEntries among them are what a route may name
 */
export function gatewayRouteStatuses(
  documents: readonly Document[],
  workloads: readonly Workload[],
): ReadonlyMap<string, readonly GatewayParentStatus[]> {
  const statuses = new Map<string, readonly GatewayParentStatus[]>();
  if (!documents.some(({ kind }) => isGatewayRouteKind(kind))) return statuses;
  const judged = documents.map(validateDocument);
  const set = analyzedSet(
    judged.flatMap(({ resource }) => resource ?? []),
    workloads,
  );
  for (const { resource, refused, problems } of judged) {
    const route = resource ?? refused;
    if (route === undefined || !isGatewayRoute(route)) continue;
    const fault = resource === undefined ? firstError(problems) : undefined;
    statuses.set(route.key, parentStatuses(route, fault, set.viewOf(route.namespace)));
  }
  return statuses;
}

/** The parts of a spec that both kinds have are alike. */
function isGatewayRoute(resource: Resource): resource is GatewayRoute {
  return isGatewayRouteKind(resource.kind);
}

function firstError(problems: Validated["problems"]): string {
  const found = problems.find(({ severity }) => severity === "error");
  return found === undefined ? "the document is refused" : `${found.path}: ${found.message}`;
}

function parentStatuses(
  route: GatewayRoute,
  fault: string | undefined,
  view: ClientView,
): readonly GatewayParentStatus[] {
  const resolved = resolvedRefs(route.spec, route.namespace, view);
  return gatewayParents(route).map((parent) => ({
    // Copies: written as YAML, what stands twice as one object would become an alias.
    parentRef: { ...route.spec.parentRefs?.[parent.index] },
    controllerName: GATEWAY_CONTROLLER,
    conditions: [accepted(parent, fault, view), { ...resolved }],
  }));
}

function accepted(parent: GatewayParent, fault: string | undefined, view: ClientView): GatewayCondition {
  const no = (reason: GatewayCondition["reason"], message: string) =>
    ({ type: "Accepted", status: "False", reason, message }) as const;
  if (fault !== undefined) return no("UnsupportedValue", fault);
  const service = parentService(parent, view);
  if (service === undefined) return no("NoMatchingParent", `${parent.key} is not there`);
  if (!offersPort(service, (number) => meansPort(parent, service, number))) {
    return no("NoMatchingParent", `${service.host} has no such port`);
  }
  return { type: "Accepted", status: "True", reason: "Accepted", message: `in force for ${service.host}` };
}

/** A Service by its host, a ServiceEntry by its key. */
export function parentService({ key }: GatewayParent, view: ClientView): Service | undefined {
  return view.service(key) ?? [...view.services.byHost.values()].find(({ resource }) => resource === key);
}

/** Which ports an implicit service has is known to running processes only, so it is taken to have each. */
export function offersPort({ implicit, ports }: Service, isMeant: (port: number) => boolean): boolean {
  return implicit || ports.some(({ number }) => isMeant(number));
}

/** The first reference that leads nowhere speaks for all; a port that is not there is a backend that is not there. */
function resolvedRefs({ rules = [] }: GatewayRouteSpec, namespace: string, view: ClientView): GatewayCondition {
  const no = (reason: GatewayCondition["reason"], message: string) =>
    ({ type: "ResolvedRefs", status: "False", reason, message }) as const;
  for (const [index, { backendRefs = [], filters = [] }] of rules.entries()) {
    const mirrors = filters.flatMap(({ requestMirror }) => requestMirror?.backendRef ?? []);
    for (const ref of [...backendRefs, ...mirrors] as readonly GatewayBackendObjectSpec[]) {
      const { kind = "Service", name = "" } = ref;
      const backend = gatewayBackend(ref, namespace);
      if (backend === undefined) return no("InvalidKind", `spec.rules[${index}] sends to ${kind} "${name}"`);
      const service = view.service(backend.host);
      if (service === undefined) return no("BackendNotFound", `spec.rules[${index}]: ${backend.host} is not there`);
      if (!offersPort(service, (number) => number === backend.port)) {
        return no("BackendNotFound", `spec.rules[${index}]: ${backend.host} has no port ${backend.port}`);
      }
    }
  }
  return { type: "ResolvedRefs", status: "True", reason: "ResolvedRefs", message: "every backend is there" };
}
