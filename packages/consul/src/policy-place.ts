/**
 * Which policy is for one service alone. It stands under the service's own prefix, and is read by those only who call the
 * service or are it; everything else is read by everybody. Who may call whom and who is who (AuthorizationPolicy,
 * PeerAuthentication, RequestAuthentication), what chooses workloads, and what declares hosts always is: a process that
 * misses one of those would be an open door, or would not know that a name is the mesh's.
 */

import type { ServiceRef } from "@inmesh/core";
import { isDnsLabel } from "@inmesh/core/internal";
import type { Document } from "@inmesh/model";
import { qualifiedHost } from "@inmesh/model/internal";
import { record, textOf } from "./registrar/read.js";

type Spec = Readonly<Record<string, unknown>>;

/** Ends the full name of every service: `reviews.shop.svc.cluster.local`. */
const SERVICE_DOMAIN = ".svc.cluster.local";

/** Kinds for hosts → the hosts that a document of theirs is about, as written; undefined: it is not about hosts alone. */
const HOSTS_OF: ReadonlyMap<string, (spec: Spec, namespace: string) => readonly string[] | undefined> = new Map([
  ["VirtualService", ({ hosts, gateways }: Spec) => (isForMesh(gateways) ? texts(hosts) : undefined)],
  ["DestinationRule", hostOf],
  ["CircuitBreaker", hostOf],
  ["RateLimit", hostOf],
  ["Resilience", hostOf],
  ["HTTPRoute", parentsOf],
  ["GRPCRoute", parentsOf],
]);

/** The service whose callers alone, or whose processes alone, the document is for: one of its own namespace. */
export function onlyServiceOf({ kind, namespace, value }: Document): ServiceRef | undefined {
  const hosts = HOSTS_OF.get(kind)?.(record(value["spec"]), namespace);
  if (hosts === undefined || hosts.length !== 1) return undefined;
  const found = serviceNamed(hosts[0] ?? "", namespace);
  return found?.namespace === namespace ? found : undefined;
}

/** Services that calls may be led to by the document: destinations of routes, copies, stand-ins, backends. */
export function destinationsOf({ kind, namespace, value }: Document): readonly ServiceRef[] {
  if (!HOSTS_OF.has(kind)) return [];
  const { host: _, ...spec } = record(value["spec"]);
  return [...hostsWithin(spec, namespace)].flatMap((host) => serviceNamed(host, namespace) ?? []);
}

/** Services that the document declares by their names. */
export function declaredBy({ kind, name, namespace, value }: Document): readonly ServiceRef[] {
  if (kind === "Service") return [{ namespace, service: name }];
  if (kind !== "ServiceEntry") return [];
  return (texts(record(value["spec"])["hosts"]) ?? []).flatMap((host) => serviceNamed(host, namespace) ?? []);
}

/** Undefined for a host that is no service's name: with a wildcard, or outside of the mesh. */
function serviceNamed(host: string, namespace: string): ServiceRef | undefined {
  const full = qualifiedHost(host, namespace);
  if (!full.endsWith(SERVICE_DOMAIN)) return undefined;
  const [service = "", of = "", ...more] = full.slice(0, -SERVICE_DOMAIN.length).split(".");
  return more.length === 0 && isDnsLabel(service) && isDnsLabel(of) ? { namespace: of, service } : undefined;
}

/** Rules of a gateway alone are none for calls between services. */
function isForMesh(gateways: unknown): boolean {
  const named = texts(gateways) ?? [];
  return named.length === 0 || (named.length === 1 && named[0] === "mesh");
}

function hostOf({ host }: Spec): readonly string[] | undefined {
  return typeof host === "string" ? [host] : undefined;
}

/** Gateway API's routes between services: what they are for is what they hang on. */
function parentsOf({ parentRefs }: Spec, namespace: string): readonly string[] | undefined {
  if (!Array.isArray(parentRefs)) return undefined;
  const parents = parentRefs.map(record);
  if (parents.some(({ kind }) => kind !== "Service")) return undefined;
  return parents.map((parent) => fullName(parent, namespace));
}

function* hostsWithin(value: unknown, namespace: string): Iterable<string> {
  if (Array.isArray(value)) {
    for (const each of value) yield* hostsWithin(each, namespace);
    return;
  }
  if (typeof value !== "object" || value === null) return;
  for (const [field, inner] of Object.entries(value)) {
    if (field === "host" && typeof inner === "string") yield inner;
    else if (field === "backendRefs" && Array.isArray(inner)) {
      for (const each of inner) yield backendOf(record(each), namespace);
    } else if (field === "backendRef") yield backendOf(record(inner), namespace);
    yield* hostsWithin(inner, namespace);
  }
}

/** Istio's `Hostname` names a host, all others a service. */
function backendOf(backend: Spec, home: string): string {
  return backend["kind"] === "Hostname" ? textOf(backend["name"]) : fullName(backend, home);
}

function fullName({ name, namespace }: Spec, home: string): string {
  return `${textOf(name)}.${textOf(namespace) || home}${SERVICE_DOMAIN}`;
}

function texts(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) && value.every((each) => typeof each === "string") ? value : undefined;
}
