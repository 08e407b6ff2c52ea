/** ClusterLoadAssignment, and the same written into a cluster: its endpoints in the form that balancers take. */

import { isIP } from "node:net";
import { type Endpoint, endpointId, type Locality, type LocalityPolicy } from "@inmesh/model";
import type { ResourceType } from "../client/watch.js";
import { Findings } from "./refusal.js";
import { decodeEnvoy, type Fields, type FractionalPercent, fraction } from "./schema.js";
import { firstText } from "./wire-parts.js";

export const ASSIGNMENT = "envoy.config.endpoint.v3.ClusterLoadAssignment";

type Metadata = Fields<{ filter_metadata: Readonly<Record<string, Readonly<Record<string, unknown>>>> }>;
type Address = Fields<{
  socket_address: Fields<{ address: string; port_value: number; named_port: string }>;
  pipe: Fields<{ path: string }>;
  envoy_internal_address: object;
}>;

type LbEndpoint = Fields<{
  endpoint: Fields<{
    address: Address;
    hostname: string;
    additional_addresses: readonly object[];
    health_check_config: object;
  }>;
  endpoint_name: string;
  health_status: string | number;
  metadata: Metadata;
  load_balancing_weight: number;
}>;

type LocalityEndpoints = Fields<{
  locality: Fields<{ region: string; zone: string; sub_zone: string }>;
  lb_endpoints: readonly LbEndpoint[];
  load_balancing_weight: number;
  priority: number;
  leds_cluster_locality_config: object;
  load_balancer_endpoints: object;
}>;

export type AssignmentSpec = Fields<{
  cluster_name: string;
  endpoints: readonly LocalityEndpoints[];
  policy: Fields<{
    drop_overloads: readonly Fields<{ category: string; drop_percentage: FractionalPercent }>[];
    overprovisioning_factor: number;
    endpoint_stale_after: string;
  }>;
}>;

export interface EndpointList {
  /** Those that may get calls. */
  readonly endpoints: readonly Endpoint[];
  /** Ranks of localities, as labels that balancers rank by; undefined where all are one. */
  readonly ranks: LocalityPolicy | undefined;
  /** Weights of localities; undefined where they say what the endpoints' own say. Counts where a cluster wants it. */
  readonly shares: LocalityPolicy | undefined;
  /** What of it is not honoured, by name. */
  readonly notices: readonly string[];
}

export interface AssignmentOptions {
  readonly profile: "envoy" | "grpc";
  /** Addresses may be names. */
  readonly names: boolean;
}

export function assignmentType(profile: "envoy" | "grpc"): ResourceType<EndpointList> {
  return {
    url: ASSIGNMENT,
    wholeState: false,
    nameOf: firstText,
    decode(bytes) {
      const findings = new Findings();
      const list = readAssignment(decodeEnvoy<AssignmentSpec>(ASSIGNMENT, bytes), { profile, names: false }, findings);
      findings.end();
      return list;
    },
    same: (a, b) => JSON.stringify(a) === JSON.stringify(b),
  };
}

const MOST_WEIGHT = 2 ** 32 - 1;
/** Of the others nothing is known, or nothing bad. */
const OUT = new Set<string | number>(["UNHEALTHY", "DRAINING", "TIMEOUT"]);

/** Faults are among the findings; what is returned is then not to be used. */
export function readAssignment(spec: AssignmentSpec, options: AssignmentOptions, findings: Findings): EndpointList {
  const grpc = options.profile === "grpc";
  const own = new Findings();
  const localities = spec.endpoints ?? [];
  const priorities = checkLocalities(localities, grpc, own);
  checkDrops(spec, own);
  const ranks = Math.max(0, ...priorities) + 1;
  const byId = new Map<string, Endpoint>();
  const weights: LocalityWeight[] = [];
  for (const group of localities) {
    // gRFC A27: a locality without weight gets nothing.
    if (grpc && !group.load_balancing_weight) continue;
    if (group.leds_cluster_locality_config !== undefined) own.notHonoured("leds_cluster_locality_config");
    const { region = "", zone = "", sub_zone = "" } = group.locality ?? {};
    const locality: Locality = { region, zone, subZone: sub_zone };
    const labels = rankLabels(ranks, group.priority ?? 0);
    let sum = 0;
    for (const each of group.lb_endpoints ?? []) {
      const endpoint = readEndpoint(each, { locality, labels, options }, own);
      if (endpoint === undefined) continue;
      if (byId.has(endpoint.id)) {
        if (grpc) own.fault(`the endpoint ${endpoint.id} is there twice`);
        continue;
      }
      sum += endpoint.weight;
      byId.set(endpoint.id, endpoint);
    }
    weights.push({ locality, weight: group.load_balancing_weight ?? 0, ofEndpoints: sum });
  }
  findings.adopt(own);
  return {
    endpoints: [...byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1)),
    ranks: ranks === 1 ? undefined : { kind: "failover", labels: rankNames(ranks) },
    shares: ranks === 1 ? sharesOf(weights) : undefined,
    notices: own.notices,
  };
}

function checkLocalities(
  localities: readonly LocalityEndpoints[],
  grpc: boolean,
  findings: Findings,
): ReadonlySet<number> {
  const seen = new Set<string>();
  const sums = new Map<number, number>();
  for (const { locality, priority = 0, load_balancing_weight: weight = 0 } of localities) {
    const { region = "", zone = "", sub_zone = "" } = locality ?? {};
    const key = [region, zone, sub_zone, priority].join("/");
    if (grpc && locality === undefined) findings.fault("a locality is not set");
    if (grpc && seen.has(key)) findings.fault(`the locality ${key} is there twice`);
    seen.add(key);
    const sum = (sums.get(priority) ?? 0) + weight;
    if (sum > MOST_WEIGHT)
      findings.fault(`the weights of the localities of priority ${priority} add up to more than ${MOST_WEIGHT}`);
    sums.set(priority, sum);
  }
  for (let rank = 0; grpc && rank < sums.size; rank++)
    if (!sums.has(rank)) findings.fault(`no locality has priority ${rank}`);
  return new Set(sums.keys());
}

function checkDrops({ policy }: AssignmentSpec, findings: Findings): void {
  for (const { category = "", drop_percentage } of policy?.drop_overloads ?? []) {
    try {
      fraction(drop_percentage ?? {});
    } catch (error) {
      findings.fault(`drop_overloads ${category}: ${(error as Error).message}`);
    }
    findings.notHonoured("policy.drop_overloads");
  }
  if ((policy?.overprovisioning_factor ?? 140) !== 140) findings.notHonoured("policy.overprovisioning_factor");
}

interface EndpointPlace {
  readonly locality: Locality;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: AssignmentOptions;
}

function readEndpoint(
  spec: LbEndpoint,
  { locality, labels, options }: EndpointPlace,
  findings: Findings,
): Endpoint | undefined {
  const { address, additional_addresses } = spec.endpoint ?? {};
  const socket = address?.socket_address;
  const weight = spec.load_balancing_weight ?? 1;
  const where = { weight, labels, locality, ...memberOf(spec.metadata), workloads: workloadOf(spec.metadata) };
  if (OUT.has(spec.health_status ?? "UNKNOWN")) return undefined;
  if (additional_addresses !== undefined) findings.notHonoured("endpoint.additional_addresses");
  if (socket === undefined) {
    const path = address?.pipe?.path;
    if (path !== undefined && options.profile === "envoy") {
      return { id: `unix://${path}`, address: `unix://${path}`, port: 0, ...where };
    }
    if (address?.envoy_internal_address !== undefined && options.profile === "envoy") {
      findings.notHonoured("endpoint.address.envoy_internal_address");
      return undefined;
    }
    findings.fault("an endpoint has no socket address");
    return undefined;
  }
  const { address: host = "", port_value: port, named_port } = socket;
  if (port === undefined || named_port !== undefined) {
    findings.fault(`the endpoint ${host} has no port number`);
    return undefined;
  }
  if (!options.names && isIP(host) === 0) {
    findings.fault(`the endpoint ${host}:${port} has a name, expected an IP address`);
    return undefined;
  }
  return { id: endpointId(host, port), address: host, port, ...where };
}

/** An endpoint that takes the mesh's TLS. */
function memberOf(metadata: Metadata | undefined): { readonly member?: true } {
  return metadata?.filter_metadata?.["envoy.transport_socket_match"]?.["tlsMode"] === undefined ? {} : { member: true };
}

/** istiod: `workload;namespace;canonical service;revision;cluster`. */
function workloadOf(metadata: Metadata | undefined): readonly string[] {
  const text = metadata?.filter_metadata?.["istio"]?.["workload"];
  const [name] = typeof text === "string" ? text.split(";") : [];
  return name ? [name] : [];
}

const RANK = "xds.inmesh.dev/priority-below-";

/** Of an endpoint: by which the engine finds its rank. */
function rankLabels(ranks: number, priority: number): Readonly<Record<string, string>> {
  const labels: Record<string, string> = {};
  for (let rank = priority + 1; rank < ranks; rank++) labels[`${RANK}${rank}`] = "yes";
  return labels;
}

/** The first of them is missing in the last rank only, the last in all but the first. */
function rankNames(ranks: number) {
  return Array.from({ length: ranks - 1 }, (_, index) => ({ name: `${RANK}${ranks - 1 - index}`, value: "yes" }));
}

interface LocalityWeight {
  readonly locality: Locality;
  readonly weight: number;
  readonly ofEndpoints: number;
}

/** Undefined where weights of localities are those of their endpoints, as istiod writes them unless a rule says otherwise. */
function sharesOf(weights: readonly LocalityWeight[]): LocalityPolicy | undefined {
  const total = weights.reduce((sum, { weight }) => sum + weight, 0);
  const ofEndpoints = weights.reduce((sum, each) => sum + each.ofEndpoints, 0);
  if (weights.length < 2 || total === 0) return undefined;
  if (weights.every(({ weight, ofEndpoints: own }) => weight * ofEndpoints === own * total)) return undefined;
  return {
    kind: "distribute",
    shares: weights.map(({ locality, weight }) => ({ to: locality, ratio: weight / total })),
  };
}
