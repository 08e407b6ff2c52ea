/** What a control plane sent and is not in force, for `status` and the snapshot. */

import type { Refusal } from "@inmesh/core";
import { registryProblem } from "@inmesh/core/internal";
import type { Problem } from "@inmesh/model";
import type { ResourceStatus } from "../client/watch.js";
import type { EnvoyResources } from "./resources.js";

/** `Listener`, `RouteConfiguration`, `Cluster`, `ClusterLoadAssignment`. */
const kindOf = (url: string): string => url.slice(url.lastIndexOf(".") + 1);

/** One problem for each resource that has any. */
export function notHonoured({ listeners, routes, clusters, endpoints }: EnvoyResources): readonly Problem[] {
  const found: Problem[] = [];
  const tell = (kind: string, name: string, notices: readonly string[], message: string): void => {
    if (notices.length === 0) return;
    found.push(registryProblem("IM0742", "warning", message, { resource: `${kind}//${name}` }));
  };
  const said = (kind: string, name: string, notices: readonly string[]): void =>
    tell(kind, name, notices, `${kind} ${name} says what this version of inmesh passes over: ${notices.join(", ")}`);
  for (const [name, { notices }] of listeners) said("Listener", name, notices);
  for (const [name, { notices }] of routes) said("RouteConfiguration", name, notices);
  for (const [name, { notices }] of clusters) said("Cluster", name, notices);
  for (const [name, { unusable, overprovisioningPercent }] of endpoints) {
    const factor = `policy.overprovisioning_factor ${overprovisioningPercent}`;
    said("ClusterLoadAssignment", name, overprovisioningPercent === 140 ? [] : [factor]);
    const message = `endpoints of ${name} cannot be called from here: ${unusable.join(", ")}`;
    tell("ClusterLoadAssignment", name, unusable, message);
  }
  return found;
}

/** Of listeners for the process's own ports that are kept though they were taken back. */
export function takenBack(names: readonly string[]): readonly Refusal[] {
  return names.map((name) => {
    const key = `Listener//${name}`;
    const message = `the control plane has taken back the listener ${name}. Its last good version stays in force, and policy for this port that was written since is not known here.`;
    const problem = registryProblem("IM0743", "warning", message, { resource: key });
    return { kind: "Listener", namespace: "", name, key, kept: true, security: true, problems: [problem] };
  });
}

/** Of resources that were not taken. */
export function refusals(resources: readonly ResourceStatus[]): readonly Refusal[] {
  return resources.flatMap(({ url, name, state, error, bytes }) => {
    if (state !== "NACKED") return [];
    const kind = kindOf(url);
    const key = `${kind}//${name}`;
    const kept = bytes !== undefined;
    const fate = kept ? "Its last good version stays in force" : "Nothing stands in for it";
    const message = `the control plane's ${kind} ${name} is refused: ${error ?? "no reason is known"}. ${fate}.`;
    const problem = registryProblem("IM0741", "error", message, { resource: key });
    return { kind, namespace: "", name, key, kept, security: kind === "Listener", problems: [problem] };
  });
}
