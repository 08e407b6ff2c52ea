/** Assignments of a service as workloads, which the compiler then finds behind it as it finds any other. */

import type { Locality, Workload } from "@inmesh/model";
import type { AssignedEndpoint, ClusterAssignment } from "../client/index.js";
import { assignmentName, mayBeCalled, takesTls, workloadName } from "./assignment.js";
import type { ToldService } from "./told-service.js";

export type Assignments = ReadonlyMap<string, ClusterAssignment>;

/** An endpoint of one port. */
interface Place {
  readonly endpoint: AssignedEndpoint;
  readonly locality: Locality;
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * EDS knows ports of endpoints, and workloads have ports: those at one address with the same labels are one workload, in order
 * where there are several of a kind. A port that a workload lacks is 0 there.
 * @param previous workloads by `namespace/name`; equal ones keep their objects
 */
export function instancesOf(
  service: ToldService,
  assignments: Assignments,
  previous: ReadonlyMap<string, Workload>,
): readonly Workload[] {
  /** By address and labels, then by port. */
  const places = new Map<string, Map<string, Place[]>>();
  for (const { number, name } of service.ports) {
    for (const place of placesOf(service, number, assignments)) {
      const { address } = place.endpoint;
      const key = `${address} ${JSON.stringify(Object.entries(place.labels).sort())}`;
      const ports = places.get(key) ?? new Map<string, Place[]>();
      places.set(key, ports);
      ports.set(name, [...(ports.get(name) ?? []), place]);
    }
  }
  return [...places.values()].flatMap((ports) => {
    const most = Math.max(...[...ports.values()].map(({ length }) => length));
    return Array.from({ length: most }, (_, index) => {
      const workload = workloadOf(service, ports, index);
      const before = previous.get(`${workload.namespace}/${workload.name}`);
      return before !== undefined && isSame(before, workload) ? before : workload;
    });
  });
}

function placesOf(service: ToldService, port: number, assignments: Assignments): readonly Place[] {
  const { host, subsets } = service;
  const inSubset = [...subsets].map(([subset, labels]) => {
    const localities = assignments.get(assignmentName(port, subset, host))?.localities ?? [];
    return { labels, ids: new Set(localities.flatMap(({ endpoints }) => endpoints.map(idOf))) };
  });
  const { localities } = assignments.get(assignmentName(port, "", host)) ?? { localities: [] };
  const places = localities.flatMap(({ region, zone, subZone, endpoints }) =>
    endpoints.map((endpoint): Place => {
      const locality = { region, zone, subZone };
      const own = inSubset.filter(({ ids }) => ids.has(idOf(endpoint))).map(({ labels }) => labels);
      return { endpoint, locality, labels: Object.assign({}, service.labels, ...own) };
    }),
  );
  return places.sort((a, b) => a.endpoint.port - b.endpoint.port);
}

function workloadOf(service: ToldService, ports: ReadonlyMap<string, readonly Place[]>, index: number): Workload {
  const first = [...ports.values()].find((places) => places[index] !== undefined)?.[index];
  const { endpoint, locality, labels } = first!; // as many as the longest list has
  const { address, weight } = endpoint;
  return {
    // One address may serve several services, and several workloads of one.
    name: [workloadName(endpoint) || service.name, service.name, address, endpoint.port].join("/"),
    namespace: service.namespace,
    address,
    ports: service.ports.map(({ name }) => ({ name, number: ports.get(name)?.[index]?.endpoint.port ?? 0 })),
    labels,
    ...(Object.values(locality).some((part) => part !== "") && { locality }),
    weight: Math.max(1, weight),
    ...(takesTls(endpoint) && { member: true }),
    healthy: mayBeCalled(endpoint),
  };
}

function idOf({ address, port }: AssignedEndpoint): string {
  return `${address} ${port}`;
}

function isSame(a: Workload, b: Workload): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
