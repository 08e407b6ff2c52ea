/** What rules lead to comes along with them through a Sidecar. policy-semantics §3.3. */

import type { HttpRouteSpec, VirtualServiceSpec } from "../kind/virtual-service.js";
import type { Resource } from "../resource.js";
import { expandRules } from "./delegate.js";
import { getOrMake } from "./get-or-make.js";
import type { SidecarScope } from "./sidecar-scope.js";
import { virtualServiceHosts } from "./virtual-service-index.js";

/**
 * Ports that rules send to, by host; 0: whatever port is addressed. A Sidecar that lets a rule through lets these through for
 * it, not for direct calls.
 */
export type RoutedPorts = ReadonlyMap<string, ReadonlySet<number>>;

export const NOTHING_ROUTED: RoutedPorts = new Map();

/** A host that requests or their copies are sent to. */
export interface Backend {
  readonly host: string;
  /** To which it may be asked; undefined: to any. */
  readonly ports: ReadonlySet<number> | undefined;
}

/**
 * Of imported VirtualServices, their delegates included, and of Gateway API routes, whose backends are taken with all the ports there may be.
 * @param find the VirtualService that one of a namespace delegates to
 */
export function routedPorts(
  resources: readonly Resource<VirtualServiceSpec>[],
  find: (namespace: string, name: string, rootNamespace: string) => Resource<VirtualServiceSpec> | undefined,
  backends: Iterable<Backend>,
  scope: SidecarScope,
  clientNamespace: string,
): RoutedPorts {
  const routed = new Map<string, Set<number>>();
  /** @param port 0: any @param ports to which it is let through */
  const add = (host: string, port: number, ports: Backend["ports"]) => {
    const granted = ports === undefined ? [port] : [...ports].filter((each) => port === 0 || each === port);
    for (const each of granted) getOrMake(routed, host, () => new Set<number>()).add(each);
  };
  for (const resource of resources) {
    const ports = scope.portsBehind(resource.namespace, virtualServiceHosts(resource));
    for (const { spec } of expandRules(resource, (...delegate) => find(...delegate, resource.namespace))) {
      if (isOfOthers(spec, clientNamespace)) continue;
      const { route = [], mirror, mirrors = [] } = spec;
      for (const destination of [...route, { destination: mirror }, ...mirrors].map((one) => one.destination)) {
        if (destination !== undefined) add(destination.host ?? "", destination.port?.number ?? 0, ports);
      }
    }
  }
  for (const { host, ports } of backends) add(host, 0, ports);
  return routed;
}

/** As istiod 1.26 has it: one match for another namespace is enough, unless there is one for the client's, and one for all is none. */
export function isOfOthers({ match = [] }: HttpRouteSpec, clientNamespace: string): boolean {
  const sources = match.flatMap(({ sourceNamespace }) => sourceNamespace || []);
  return sources.length > 0 && !sources.includes(clientNamespace);
}

export function isRouted(routed: RoutedPorts, host: string, port: number): boolean {
  const ports = routed.get(host);
  return ports !== undefined && (ports.has(0) || ports.has(port));
}
