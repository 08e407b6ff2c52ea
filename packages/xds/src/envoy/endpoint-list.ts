/** Endpoints of one assignment in the form that balancers take: who may be called, and which localities come first. */

import { type Endpoint, endpointId, type Locality, type LocalityFailover, type LocalityPolicy } from "@inmesh/model";
import type { AssignedEndpoint, ClusterAssignment, LocalityEndpoints } from "../client/endpoint/assignment.js";

export interface EndpointList {
  /** Those that may get calls, by id. */
  readonly endpoints: readonly Endpoint[];
  /** Ranks of localities, as labels that balancers rank by; undefined where all are one. */
  readonly ranks: LocalityFailover | undefined;
  /** Weights of localities; undefined where they say what the endpoints' own say. Counts where a cluster wants it. */
  readonly shares: LocalityPolicy | undefined;
}

/** The same list for the same assignment. */
export function endpointList(assignment: ClusterAssignment, profile: "envoy" | "grpc"): EndpointList {
  let list = LISTS.get(assignment);
  if (list === undefined) {
    list = makeList(assignment, profile);
    LISTS.set(assignment, list);
  }
  return list;
}

const LISTS = new WeakMap<ClusterAssignment, EndpointList>();

/** Equal endpoints keep their objects. */
export function keepEndpoints(
  list: readonly Endpoint[],
  previous: readonly Endpoint[] | undefined,
): readonly Endpoint[] {
  if (previous === undefined) return list;
  const before = new Map(previous.map((endpoint) => [endpoint.id, endpoint]));
  const kept = list.map((endpoint) => {
    const old = before.get(endpoint.id);
    return old !== undefined && isSame(old, endpoint) ? old : endpoint;
  });
  return kept.length === previous.length && kept.every((each, at) => each === previous[at]) ? previous : kept;
}

/** Of the others nothing is known, or nothing bad. */
const OUT: ReadonlySet<AssignedEndpoint["health"]> = new Set(["unhealthy", "draining", "timeout"]);

function makeList({ localities }: ClusterAssignment, profile: "envoy" | "grpc"): EndpointList {
  // gRFC A27: a locality without weight gets nothing.
  const used = profile === "grpc" ? localities.filter(({ weight }) => weight > 0) : localities;
  // Gaps are closed: what counts is the order.
  const priorities = [...new Set(used.map(({ priority }) => priority))].sort((a, b) => a - b);
  const byId = new Map<string, Endpoint>();
  const weights: LocalityWeight[] = [];
  for (const group of used) {
    const { region, zone, subZone, priority, weight } = group;
    const locality: Locality = { region, zone, subZone };
    const labels = rankLabels(priorities.length, priorities.indexOf(priority));
    const usable = group.endpoints.filter(({ health }) => !OUT.has(health));
    for (const each of usable) {
      const endpoint = endpointOf(each, locality, labels);
      if (!byId.has(endpoint.id)) byId.set(endpoint.id, endpoint);
    }
    weights.push({ locality, weight, ofEndpoints: usable.reduce((sum, each) => sum + each.weight, 0) });
  }
  return {
    endpoints: [...byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1)),
    ranks: priorities.length < 2 ? undefined : { kind: "failover", labels: rankNames(priorities.length) },
    shares: priorities.length < 2 ? sharesOf(weights) : undefined,
  };
}

function endpointOf(
  { address, port, weight, hostname, metadata }: AssignedEndpoint,
  locality: Locality,
  labels: Endpoint["labels"],
): Endpoint {
  const [workload = ""] = metadata.workload.split(";");
  return {
    ...{ id: endpointId(address, port), address, port, weight, labels, locality },
    ...(hostname !== "" && { hostname }),
    ...(metadata.tlsMode !== "" && { member: true }),
    workloads: workload === "" ? [] : [workload],
  };
}

function isSame(a: Endpoint, b: Endpoint): boolean {
  return (
    a.weight === b.weight &&
    a.member === b.member &&
    a.hostname === b.hostname &&
    a.workloads[0] === b.workloads[0] &&
    a.labels === b.labels &&
    a.locality?.region === b.locality?.region &&
    a.locality?.zone === b.locality?.zone &&
    a.locality?.subZone === b.locality?.subZone
  );
}

const RANK = "xds.inmesh.dev/priority-below-";
const NO_LABELS: Endpoint["labels"] = Object.freeze({});
/** Enough for every kind of failover that is known; what has more ranks is made each time. */
const KEPT_RANKS = 16;
const RANK_LABELS: Endpoint["labels"][] = [];

/** Of an endpoint: by which the engine finds its rank. The same object for the same place. */
function rankLabels(ranks: number, rank: number): Endpoint["labels"] {
  if (ranks < 2) return NO_LABELS;
  const key = ranks * KEPT_RANKS + rank;
  const known = ranks < KEPT_RANKS ? RANK_LABELS[key] : undefined;
  if (known !== undefined) return known;
  const labels: Record<string, string> = {};
  for (let below = rank + 1; below < ranks; below++) labels[`${RANK}${below}`] = "yes";
  if (ranks < KEPT_RANKS) RANK_LABELS[key] = labels;
  return labels;
}

/** The first of them is missing in the last rank only, the last in all but the first. */
function rankNames(ranks: number): readonly { readonly name: string; readonly value: string }[] {
  return Array.from({ length: ranks - 1 }, (_, index) => ({ name: `${RANK}${ranks - 1 - index}`, value: "yes" }));
}

interface LocalityWeight {
  readonly locality: Locality;
  readonly weight: LocalityEndpoints["weight"];
  readonly ofEndpoints: number;
}

/** Undefined where weights of localities are those of their endpoints, as istiod writes them unless a rule says otherwise. */
function sharesOf(weights: readonly LocalityWeight[]): LocalityPolicy | undefined {
  const total = weights.reduce((sum, { weight }) => sum + weight, 0);
  const ofEndpoints = weights.reduce((sum, each) => sum + each.ofEndpoints, 0);
  if (weights.length < 2 || total === 0) return undefined;
  if (weights.every(({ weight, ofEndpoints: own }) => weight * ofEndpoints === own * total)) return undefined;
  const shares = weights.map(({ locality, weight }) => ({ to: locality, ratio: weight / total }));
  return { kind: "distribute", shares };
}
