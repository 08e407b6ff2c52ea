/** What HTTPRoutes and GRPCRoutes name and the mesh does not have, and VirtualServices that speak for the same host. policy-semantics §5. */

import { type GatewayRoute, gatewayBackend, gatewayParents, meansPort } from "../compile/gateway-parent.js";
import { isForEverybody } from "../compile/gateway-precedence.js";
import { compareAge } from "../compile/order.js";
import type { ClientView } from "../compile/view.js";
import { isForMesh, virtualServiceHosts } from "../compile/virtual-service-index.js";
import type { GatewayBackendObjectSpec } from "../kind/gateway-http-route.js";
import type { VirtualServiceSpec } from "../kind/virtual-service.js";
import type { Path, Resource } from "../resource.js";
import { type Finding, placeOf } from "./finding.js";
import { offersPort, parentService } from "./gateway-status.js";
import type { AnalyzedSet } from "./views.js";

const NOT_FOUND = "IST0101";
const UNDECLARED = "IM0302";
const TWO_LANGUAGES = "IM0308";
const NO_PARENT = "IM0309";
const UNKNOWN_BACKEND = "IM0310";

export function checkGatewayRoute(route: GatewayRoute, set: AnalyzedSet, report: Finding): void {
  const view = set.viewOf(route.namespace);
  const share = `Its share of the requests gets ${route.kind === "GRPCRoute" ? 503 : 500}.`;
  checkParents(route, view, set.live, report);
  for (const [index, { backendRefs = [], filters = [] }] of (route.spec.rules ?? []).entries()) {
    const path = ["spec", "rules", index];
    for (const [position, ref] of backendRefs.entries()) {
      checkBackend(route, ref, [...path, "backendRefs", position], share, set, report);
    }
    for (const [position, { requestMirror }] of filters.entries()) {
      const at = [...path, "filters", position, "requestMirror", "backendRef"];
      if (requestMirror?.backendRef) checkBackend(route, requestMirror.backendRef, at, "No copy is sent.", set, report);
    }
  }
}

function checkParents(route: GatewayRoute, view: ClientView, live: boolean, report: Finding): void {
  const refs = route.spec.parentRefs ?? [];
  const parents = new Map(gatewayParents(route).map((parent) => [parent.index, parent]));
  if (refs.length === 0) {
    const message = "the route has no parent, so it is for nobody. Name the Service it speaks for in parentRefs.";
    report(route, ["spec"], NO_PARENT, "warning", message);
  }
  for (const [index, { kind = "Gateway", name = "", namespace = route.namespace }] of refs.entries()) {
    const path = ["spec", "parentRefs", index];
    const parent = parents.get(index);
    if (parent === undefined) {
      const message = `${kind} "${name}" is no parent here: inmesh has no gateways, its parents are a Service (group "") or a ServiceEntry (group networking.istio.io). The route has no effect for it. Keep it for whoever reads it, or name a Service.`;
      report(route, path, NO_PARENT, kind === "Gateway" ? "info" : "warning", message);
      continue;
    }
    const service = parentService(parent, view);
    if (service === undefined) {
      const effect = live
        ? "The route has no effect for it."
        : "Until a process of that name runs, the route has no effect.";
      const message = `no ${kind} "${name}" is there in namespace "${namespace}". ${effect} Correct the name, or declare it.`;
      report(route, [...path, "name"], live ? NOT_FOUND : UNDECLARED, live ? "error" : "info", message);
    } else if (!offersPort(service, (number) => meansPort(parent, service, number))) {
      const numbers = service.ports.map((port) => `${port.number}${port.name ? ` (${port.name})` : ""}`);
      const field = parent.port === undefined ? "sectionName" : "port";
      const message = `${kind} "${name}" has no such port, only ${numbers.join(", ")}. The route has no effect for it. Name one of its ports.`;
      report(route, [...path, field], NO_PARENT, "warning", message);
    }
  }
}

function checkBackend(
  route: GatewayRoute,
  ref: GatewayBackendObjectSpec,
  path: Path,
  effect: string,
  { viewOf, live }: AnalyzedSet,
  report: Finding,
): void {
  const { kind = "Service", name = "", namespace = route.namespace } = ref;
  const backend = gatewayBackend(ref, route.namespace);
  if (backend === undefined) {
    const message = `${kind} of group "${ref.group ?? ""}" is no kind of backend here. ${effect} Name a Service, or a Hostname of networking.istio.io.`;
    report(route, [...path, "kind"], UNKNOWN_BACKEND, "error", message);
    return;
  }
  const service = viewOf(route.namespace).service(backend.host);
  if (service === undefined) {
    const until = live ? "" : " until a process of that name runs";
    const message = `no service "${name}" that namespace "${route.namespace}" sees is there in namespace "${namespace}" (${backend.host}). ${effect.replace(/\.$/, `${until}.`)} Correct the name, or declare the service.`;
    report(route, [...path, "name"], live ? NOT_FOUND : UNDECLARED, live ? "error" : "info", message);
  } else if (!offersPort(service, (number) => number === backend.port)) {
    const numbers = service.ports.map(({ number }) => number).join(", ");
    const message = `"${name}" has no port ${backend.port}, only ${numbers}. ${effect} Name one of its ports.`;
    report(route, [...path, "port"], live ? NOT_FOUND : UNDECLARED, "error", message);
  }
}

/** Both are told, each with the place of the other. */
export function checkTwoLanguages(
  routes: readonly GatewayRoute[],
  virtualServices: readonly Resource<VirtualServiceSpec>[],
  defaultExportTo: readonly string[],
  report: Finding,
): void {
  const byHost = new Map<string, Resource<VirtualServiceSpec>[]>();
  for (const resource of virtualServices) {
    if (!isForMesh(resource) || (resource.spec.http ?? []).length === 0) continue;
    for (const host of virtualServiceHosts(resource)) byHost.set(host, [...(byHost.get(host) ?? []), resource]);
  }
  for (const route of routes) {
    for (const { key, index } of gatewayParents(route)) {
      for (const virtualService of byHost.get(key) ?? []) {
        const older = compareAge(route, virtualService) < 0 ? route : virtualService;
        const first = isForEverybody(virtualService, defaultExportTo)
          ? ""
          : "the VirtualService where it is exported to, else ";
        const rule = `Only one of the two is used for a caller: ${first}the ${route.kind} where it is of the caller's own namespace, else the older one, ${older.key}. Write all rules of a host in one of the two languages.`;
        const path = ["spec", "parentRefs", index];
        report(route, path, TWO_LANGUAGES, "warning", `${key} has rules in ${placeOf(virtualService)} too. ${rule}`);
        const at = ["spec", "hosts", virtualServiceHosts(virtualService).indexOf(key)];
        report(virtualService, at, TWO_LANGUAGES, "warning", `${key} has rules in ${placeOf(route)} too. ${rule}`);
      }
    }
  }
}
