/** The endpoint discovery service as a ResourceType. */

import { isIP } from "node:net";
import { firstText } from "../first-text.js";
import type { ResourceType } from "../watch.js";
import { type AssignedEndpoint, type ClusterAssignment, type LocalityEndpoints, sameAssignment } from "./assignment.js";
import { type ReadAssignment, type ReadEndpoint, type ReadLocality, readAssignment } from "./decode-assignment.js";

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
    decode: (bytes) => checked(readAssignment(bytes), rules),
    same: sameAssignment,
  };
}

/** @throws {Error} what is wrong, all of it */
function checked(read: ReadAssignment, rules: EndpointRules): ClusterAssignment {
  const problems: string[] = [];
  const unusable: string[] = [];
  if (read.name === "") problems.push("it has no name");
  checkPriorities(read.localities, rules, problems);
  const seen = new Set<string>();
  const localities = read.localities.map((locality): LocalityEndpoints => {
    const { region, zone, subZone, priority, weight } = locality;
    if (rules === "grpc" && !locality.hasLocality) problems.push("endpoints without a locality");
    const endpoints = usable(locality.endpoints, rules, seen, problems, unusable);
    return { region, zone, subZone, priority, weight, endpoints };
  });
  if (problems.length > 0) throw new Error(problems.slice(0, 10).join("; "));
  const { name, overprovisioningPercent, drops } = read;
  return { name, localities, overprovisioningPercent, drops, unusable };
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

function usable(
  endpoints: readonly ReadEndpoint[],
  rules: EndpointRules,
  seen: Set<string>,
  problems: string[],
  unusable: string[],
): readonly AssignedEndpoint[] {
  const found: AssignedEndpoint[] = [];
  for (const { flaw, ...endpoint } of endpoints) {
    const { address, port, hostname } = endpoint;
    const shown = `${address || hostname || "endpoint"}:${port}`;
    const wrong = flaw ?? (isIP(address) === 0 ? "its address is no IP" : undefined);
    if (wrong !== undefined) (rules === "grpc" ? problems : unusable).push(`${shown}: ${wrong}`);
    else if (!seen.has(shown)) found.push(endpoint);
    else if (rules === "grpc") problems.push(`${shown} is there twice`);
    seen.add(shown);
  }
  return found;
}
