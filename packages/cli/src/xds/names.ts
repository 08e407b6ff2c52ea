/** Names of other resources that a resource holds, found wherever they stand in it. */

import { CLUSTERS, ENDPOINTS, ROUTES, type XdsDocument } from "./kinds.js";

/** @param url type of what is named, by documents of the type before it */
export function namesIn(url: string, document: XdsDocument): readonly string[] {
  if (url === ENDPOINTS) return assignmentOf(document);
  const names: string[] = [];
  walk(document, (part) => {
    if (url === ROUTES) add(names, at(part["rds"], "route_config_name"));
    if (url !== CLUSTERS) return;
    add(names, at(part["route"], "cluster"));
    const weighted = at(at(part["route"], "weighted_clusters"), "clusters");
    if (Array.isArray(weighted)) for (const each of weighted) add(names, at(each, "name"));
  });
  return names;
}

/** Endpoints of clusters of other types are in the cluster, or come from DNS. */
function assignmentOf({ type, name, eds_cluster_config: config }: XdsDocument): readonly string[] {
  if (type !== "EDS") return [];
  const named = at(config, "service_name");
  return [String(named || name)];
}

function walk(value: unknown, visit: (part: Readonly<Record<string, unknown>>) => void): void {
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) visit(value as Readonly<Record<string, unknown>>);
  for (const each of Object.values(value)) walk(each, visit);
}

function at(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}

function add(names: string[], name: unknown): void {
  if (typeof name === "string" && name !== "") names.push(name);
}
