/**
 * The MeshMode in force for a client. The narrowest that means it counts: one that selects its workload (of its own
 * namespace before one of the root namespace), else the one of its namespace, else the one of the mesh.
 */

import type { MeshModeSpec } from "../kind/mesh-mode.js";
import type { Resource } from "../resource.js";
import type { ClientContext, Mode } from "../snapshot/snapshot.js";
import { hasLabels } from "./labels.js";

export type ModeScope = "mesh" | "namespace" | "workload";

export interface ModeInForce {
  readonly mode: Mode;
  /** Undefined where no document speaks: the mode is then `on`. */
  readonly resource: Resource<MeshModeSpec> | undefined;
}

/** @param resources oldest first */
export function modeInForce(
  resources: readonly Resource<MeshModeSpec>[],
  client: ClientContext,
  rootNamespace: string,
): ModeInForce {
  let best: Resource<MeshModeSpec> | undefined;
  let bestRank = 0;
  for (const resource of resources) {
    const rank = rankOf(resource, client, rootNamespace);
    if (rank > bestRank) [best, bestRank] = [resource, rank]; // of equals the oldest stays
  }
  return { mode: best === undefined ? "on" : modeOf(best.spec), resource: best };
}

/** YAML 1.1 writes the words as booleans. */
export function modeOf({ mode }: MeshModeSpec): Mode {
  return mode === true ? "on" : mode === false ? "off" : mode;
}

export function modeScope({ namespace, spec }: Resource<MeshModeSpec>, rootNamespace: string): ModeScope {
  if (selects(spec)) return "workload";
  return namespace === rootNamespace ? "mesh" : "namespace";
}

/** 4 a workload by its own namespace, 3 by the root namespace, 2 namespace, 1 mesh, 0 not meant. */
function rankOf(resource: Resource<MeshModeSpec>, client: ClientContext, rootNamespace: string): number {
  const { namespace, spec } = resource;
  const own = namespace === client.namespace;
  if (!own && namespace !== rootNamespace) return 0;
  if (selects(spec)) return !hasLabels(client.labels, spec.selector?.matchLabels ?? {}) ? 0 : own ? 4 : 3;
  return namespace === rootNamespace ? 1 : 2;
}

/** A selector without labels selects everything, and so is none. */
function selects({ selector }: MeshModeSpec): boolean {
  return Object.keys(selector?.matchLabels ?? {}).length > 0;
}
