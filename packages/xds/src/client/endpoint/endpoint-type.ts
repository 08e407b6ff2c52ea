/** The endpoint discovery service as a ResourceType. */

import { isIP } from "node:net";
import { firstText } from "../first-text.js";
import { knownText } from "../known-text.js";
import { NONE } from "../none.js";
import type { ResourceType } from "../watch.js";
import { type AssignedEndpoint, type ClusterAssignment, type LocalityEndpoints, sameAssignment } from "./assignment.js";
import { type ReadAssignment, type ReadLocality, readAssignment } from "./decode-assignment.js";

/** Of the weights of a priority's localities, as of those of a locality's endpoints. */
const MOST_WEIGHT = 0xffff_ffff;

/**
 * `grpc`: by gRPC's rules (gRFC A27), which refuse the whole assignment. `envoy`: by Envoy's, which has localities without a
 * name and addresses twice; an endpoint that cannot be called from here is left out and named in `unusable`.
 */
export type EndpointRules = "grpc" | "envoy";

export function createEndpointType(rules: EndpointRules): ResourceType<ClusterAssignment> {
  return {
    url: "envoy.config.endpoint.v3.ClusterLoadAssignment",
    wholeState: false,
    nameOf: (bytes) => firstText(bytes),
    decode: (bytes, name) => checked(readAssignment(bytes), rules, name),
    same: sameAssignment,
  };
}

/** @throws {Error} what is wrong, all of it */
function checked(read: ReadAssignment, rules: EndpointRules, known: string): ClusterAssignment {
  const problems: string[] = [];
  const unusable: string[] = [];
  if (read.name === "") problems.push("it has no name");
  checkPriorities(read.localities, rules, problems);
  const seen = new SeenAddresses();
  const { flaws } = read;
  const take =
    rules === "grpc"
      ? { flawed: (text: string) => problems.push(text), repeated: (text: string) => problems.push(text) }
      : { flawed: (text: string) => unusable.push(text), repeated: () => 0 };
  const localities = read.localities.map((locality): LocalityEndpoints => {
    const { region, zone, subZone, priority, weight } = locality;
    if (rules === "grpc" && !locality.hasLocality) problems.push("endpoints without a locality");
    const endpoints = usable(locality.endpoints, flaws, seen, take);
    return { region, zone, subZone, priority, weight, endpoints };
  });
  if (problems.length > 0) throw new Error(problems.slice(0, 10).join("; "));
  const { overprovisioningPercent, drops } = read;
  // Field by field: an object that another one is spread into has a shape of its own, of 300 bytes.
  return {
    name: knownText(read.name, known),
    localities,
    overprovisioningPercent,
    drops: drops.length === 0 ? NONE : drops,
    unusable: unusable.length === 0 ? NONE : unusable,
  };
}

function checkPriorities(localities: readonly ReadLocality[], rules: EndpointRules, problems: string[]): void {
  const weights = new Map<number, number>();
  const places = new Set<string>();
  for (const { region, zone, subZone, priority, weight } of localities) {
    const place = `${region}/${zone}/${subZone}`;
    // Envoy takes a locality twice: its endpoints are those of both.
    if (rules === "grpc" && places.has(`${priority} ${place}`))
      problems.push(`locality ${place} twice in priority ${priority}`);
    places.add(`${priority} ${place}`);
    const sum = (weights.get(priority) ?? 0) + weight;
    if (sum > MOST_WEIGHT) problems.push(`the weights of priority ${priority} are above ${MOST_WEIGHT}`);
    weights.set(priority, sum);
  }
  for (let priority = 0; priority < weights.size; priority++) {
    if (weights.has(priority)) continue;
    problems.push(`there is no priority ${priority}, and there are higher ones`);
    break;
  }
}

/** @param take gets what cannot be used, and what is there twice where that matters */
function usable(
  endpoints: readonly AssignedEndpoint[],
  flaws: ReadonlyMap<AssignedEndpoint, string>,
  seen: SeenAddresses,
  take: { readonly flawed: (text: string) => void; readonly repeated: (text: string) => void },
): readonly AssignedEndpoint[] {
  const found: AssignedEndpoint[] = [];
  for (const endpoint of endpoints) {
    const { address, port, hostname } = endpoint;
    const flaw = flaws.get(endpoint) ?? (isIP(address) === 0 ? "its address is no IP" : undefined);
    if (flaw !== undefined) take.flawed(`${address || hostname || "endpoint"}:${port}: ${flaw}`);
    else if (seen.add(address, port)) found.push(endpoint);
    else take.repeated(`${address}:${port} is there twice`);
  }
  return found.slice(); // a list that grew has room for more: sixteen where there is one, as in most of a thousand clusters
}

/** By address and then by port: texts of both together would cost more than all the rest. */
class SeenAddresses {
  readonly #ports = new Map<string, number | Set<number>>();

  /** Whether it is the first time. */
  add(address: string, port: number): boolean {
    const ports = this.#ports.get(address);
    if (ports === undefined) this.#ports.set(address, port);
    else if (typeof ports === "number") {
      if (ports === port) return false;
      this.#ports.set(address, new Set([ports, port]));
    } else {
      if (ports.has(port)) return false;
      ports.add(port);
    }
    return true;
  }
}
