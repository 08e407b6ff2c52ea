/**
 * Services: declared by a Kubernetes Service or a ServiceEntry, or implicit, because a process that listens says it is one.
 *
 * Two declare one host: the Kubernetes Service wins, then the ServiceEntry of the client's namespace, then the oldest
 * (policy-semantics §3.1); an implicit service gives way to any declared one.
 */

import type { ServiceSpec } from "../kind/service.js";
import type { ServiceEntrySpec } from "../kind/service-entry.js";
import type { Resource } from "../resource.js";
import type { KnownService, Resolution, Service, ServicePort } from "../snapshot/workload.js";
import { CLUSTER_DOMAIN } from "./host.js";
import { kubernetesProtocol, parseProtocol } from "./service-port.js";
import { effectiveExportTo } from "./visibility.js";

/** Of a Service, as an annotation: older than its field trafficDistribution. Also of a ServiceEntry. */
const DISTRIBUTION_ANNOTATION = "networking.istio.io/traffic-distribution";

/** Of a ServiceEntry outside the mesh: `true`, and what came in as baggage goes there, too. */
const BAGGAGE_ANNOTATION = "inmesh.dev/baggage";

/** In lower case: annotations are read whatever theirs. */
const PREFERENCES: Readonly<Record<string, NonNullable<Service["prefers"]>>> = {
  preferclose: "sameZone",
  prefersamezone: "sameZone",
  prefersamenode: "sameNode",
};

const RESOLUTIONS: Readonly<Record<string, Resolution>> = {
  NONE: "passThrough",
  STATIC: "static",
  DNS: "dns",
  DNS_ROUND_ROBIN: "dnsRoundRobin",
  DYNAMIC_DNS: "dynamicDns",
};

export function kubernetesService(resource: Resource<ServiceSpec>, exportTo: readonly string[]): Service {
  const { name, namespace, spec, metadata } = resource;
  const annotated = metadata.annotations["networking.istio.io/exportTo"]?.split(",").map((entry) => entry.trim());
  const addresses = [spec.clusterIP, ...(spec.clusterIPs ?? [])].filter(
    (ip) => ip !== undefined && ip !== "" && ip !== "None",
  );
  const preference = preferenceOf(spec.trafficDistribution, metadata.annotations);
  return {
    host: serviceHost(name, namespace),
    name,
    namespace,
    ports: (spec.ports ?? []).map(
      (port): ServicePort => ({
        number: port.port ?? 0,
        name: port.name ?? "",
        protocol: kubernetesProtocol(port, port.port ?? 0),
        ...(port.targetPort !== undefined && { targetPort: port.targetPort }),
      }),
    ),
    implicit: false,
    resolution: spec.type === "ExternalName" ? "dns" : "static",
    location: spec.type === "ExternalName" ? "external" : "internal",
    exportTo: ownNamespace(effectiveExportTo(annotated, exportTo), namespace),
    addresses: [...new Set(addresses)] as string[],
    subjectAltNames: [],
    ...(preference && { prefers: preference }),
    resource: resource.key,
  };
}

/** One service per host. */
export function entryServices(resource: Resource<ServiceEntrySpec>, exportTo: readonly string[]): readonly Service[] {
  const { namespace, spec, metadata } = resource;
  const preference = preferenceOf(undefined, metadata.annotations);
  return (spec.hosts ?? []).map((written): Service => {
    const host = written.toLowerCase();
    return {
      host,
      name: resource.name,
      namespace,
      ports: (spec.ports ?? []).map(
        (port): ServicePort => ({
          number: port.number ?? 0,
          name: port.name ?? "",
          protocol: parseProtocol(port.protocol),
          ...(port.targetPort !== undefined && port.targetPort !== 0 && { targetPort: port.targetPort }),
        }),
      ),
      implicit: false,
      resolution: RESOLUTIONS[spec.resolution ?? "NONE"] ?? "passThrough",
      location: spec.location === "MESH_INTERNAL" ? "internal" : "external",
      ...(metadata.annotations[BAGGAGE_ANNOTATION] === "true" && { takesBaggage: true }),
      exportTo: ownNamespace(effectiveExportTo(spec.exportTo, exportTo), namespace),
      // A range is no address a caller could write into a URL.
      addresses: (spec.addresses ?? [])
        .map((address) => address.replace(/\/(32|128)$/, ""))
        .filter((a) => !a.includes("/")),
      subjectAltNames: spec.subjectAltNames ?? [],
      ...(preference && { prefers: preference }),
      resource: resource.key,
    };
  });
}

/**
 * Port 80 stands for whatever the process listens on first. Its other ports answer too, each for itself, but are not
 * listed: they come and go with instances, and a rule must not be compiled anew for that.
 * @param known what a registry that tells instances only of services in use says of it
 */
export function implicitService(
  name: string,
  namespace: string,
  exportTo: readonly string[],
  known: KnownService | undefined,
): Service {
  return {
    host: serviceHost(name, namespace),
    name,
    namespace,
    ports: [{ number: IMPLICIT_PORT, name: "http", protocol: "http" }],
    implicit: true,
    resolution: "static",
    location: "internal",
    exportTo: ownNamespace(exportTo, namespace),
    addresses: [],
    subjectAltNames: [],
    resource: "",
    ...(known && { knownAs: [{ namespace: known.namespace, service: known.service }] }),
    ...(known?.loaded === false && { pending: true }),
    ...(known && rulesOnUse(known)),
  };
}

/** What a registry that tells policy for one service alone by use says of it. */
export function rulesOnUse({
  namespace,
  service,
  rulesLoaded,
}: KnownService): Pick<Service, "rulesOnUse" | "rulesPending"> {
  if (rulesLoaded === undefined) return {};
  return { rulesOnUse: { namespace, service }, ...(!rulesLoaded && { rulesPending: true }) };
}

export const IMPLICIT_PORT = 80;

export function serviceHost(name: string, namespace: string): string {
  return `${name}.${namespace}.svc.${CLUSTER_DOMAIN}`.toLowerCase();
}

function preferenceOf(field: string | undefined, annotations: Readonly<Record<string, string>>): Service["prefers"] {
  return PREFERENCES[(field ?? annotations[DISTRIBUTION_ANNOTATION] ?? "").toLowerCase()];
}

function ownNamespace(exportTo: readonly string[], namespace: string): readonly string[] {
  return exportTo.includes(".") ? exportTo.map((entry) => (entry === "." ? namespace : entry)) : exportTo;
}
