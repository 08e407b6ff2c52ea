/** Workloads of a cluster as endpoints: which port, who shares one, and what stays the same object. */

import type { Cluster } from "../snapshot/cluster.js";
import type { Endpoint, EndpointSet, Service, Workload } from "../snapshot/workload.js";
import { hasLabels, type Labels } from "./labels.js";
import { IMPLICIT_PORT } from "./services.js";
import { endpointLabels } from "./topology.js";
import type { Members } from "./workload-index.js";

/** @param previous last set of the same cluster; equal endpoints, and an equal set, keep their objects */
export function compileEndpoints(cluster: Cluster, members: Members, previous: EndpointSet | undefined): EndpointSet {
  const known = new Map(previous?.endpoints.map((endpoint) => [endpoint.id, endpoint]));
  const byId = new Map<string, Endpoint>();
  const isMember = memberTest(cluster, members);
  for (const workload of members) {
    // Without an address a WorkloadEntry stands for what its network's gateway knows, and there are none here.
    if (!workload.healthy || workload.address === "") continue;
    const labels = endpointLabels(workload);
    if (!hasLabels(labels, cluster.labels)) continue;
    const port = endpointPort(cluster.service, cluster.port, workload);
    if (port === undefined) continue;
    const id = endpointId(workload.address, port);
    const sharing = byId.get(id);
    byId.set(
      id,
      sharing === undefined ? endpointOf(id, port, workload, labels, isMember) : joined(sharing, workload, isMember),
    );
  }
  // By id, so that every process sees the same order, in whatever order the registry listed the workloads.
  const endpoints = [...byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  const kept = endpoints.map((endpoint) => {
    const old = known.get(endpoint.id);
    return old !== undefined && isSameEndpoint(old, endpoint) ? old : endpoint;
  });
  if (previous !== undefined && previous.endpoints.length === kept.length) {
    if (kept.every((endpoint, index) => endpoint === previous.endpoints[index])) return previous;
  }
  return { cluster: cluster.name, endpoints: kept };
}

/** A socket path has no port; an IPv6 address needs brackets. */
export function endpointId(address: string, port: number): string {
  if (address.startsWith("unix://")) return address;
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/**
 * Port of a workload behind a service port; undefined when it does not listen there.
 *
 * WorkloadEntries (policy-semantics §3.1): the entry's port of that name, else targetPort, else the same number. Registries that
 * know of each port give it the number 0 where there is none.
 * Leases know where they listen: the target port by name or number, else a port of the service port's name; and the
 * service's first port falls back to the first listener, since a process on a developer's machine listens wherever there
 * was room. For an implicit service that is the rule of port 80.
 */
export function endpointPort({ ports, implicit }: Service, number: number, workload: Workload): number | undefined {
  if (workload.address.startsWith("unix://")) return 0;
  const servicePort = ports.find((port) => port.number === number);
  const { name = "", targetPort } = servicePort ?? {};
  const named = (wanted: string): number | undefined =>
    wanted === "" ? undefined : workload.ports.find((port) => port.name === wanted)?.number;
  if (workload.service === undefined) {
    const found = named(name) ?? (typeof targetPort === "string" ? named(targetPort) : (targetPort ?? number));
    return found === 0 ? undefined : found;
  }
  if (implicit && number === IMPLICIT_PORT) {
    return listening(workload, number) ?? workload.ports[0]?.number;
  }
  const target = typeof targetPort === "string" ? named(targetPort) : listening(workload, targetPort ?? number);
  const found = target ?? named(name);
  return found ?? (servicePort !== undefined && servicePort === ports[0] ? workload.ports[0]?.number : undefined);
}

function listening({ ports }: Workload, number: number): number | undefined {
  return ports.some((port) => port.number === number) ? number : undefined;
}

type MemberTest = (workload: Workload) => boolean;

/**
 * Who is called over TLS under auto mTLS. Of an instance that others registered its own entry does not say: where the service
 * has processes of the mesh, too, it is taken for one, so that no registration can talk callers down to plaintext.
 */
function memberTest({ policy }: Cluster, members: Members): MemberTest {
  if (policy.tls.strict === true) return () => true;
  const ofMesh = members.some(({ service, member }) => service !== undefined && member === true);
  return ({ service, member }) => member === true || (ofMesh && service !== undefined);
}

function endpointOf(id: string, port: number, workload: Workload, labels: Labels, isMember: MemberTest): Endpoint {
  const { address, weight, locality, serviceAccount, name } = workload;
  return {
    id,
    address,
    port,
    weight,
    labels,
    ...(locality && { locality }),
    ...(serviceAccount && { serviceAccount }),
    ...(isMember(workload) && { member: true }),
    workloads: [name],
  };
}

/** Processes that share a port are one endpoint: workers of `cluster` or PM2. */
function joined(endpoint: Endpoint, workload: Workload, isMember: MemberTest): Endpoint {
  const workloads = [...endpoint.workloads, workload.name].sort();
  return { ...endpoint, ...(isMember(workload) && { member: true }), workloads };
}

function isSameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return (
    a.weight === b.weight &&
    a.serviceAccount === b.serviceAccount &&
    a.member === b.member &&
    a.workloads.length === b.workloads.length &&
    a.workloads.every((name, index) => name === b.workloads[index]) &&
    hasLabels(a.labels, b.labels) &&
    hasLabels(b.labels, a.labels) &&
    a.locality?.region === b.locality?.region &&
    a.locality?.zone === b.locality?.zone &&
    a.locality?.subZone === b.locality?.subZone
  );
}
