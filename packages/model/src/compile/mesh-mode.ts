/** The MeshMode in force for a client: the one of its workload, else of its namespace, else of the mesh. */

import type { MeshModeSpec } from "../kind/mesh-mode.js";
import type { Resource } from "../resource.js";
import type { ClientContext, Mode } from "../snapshot/snapshot.js";
import { hasLabels } from "./labels.js";

/** @param resources oldest first */
export function effectiveMode(
  resources: readonly Resource<MeshModeSpec>[],
  client: ClientContext,
  rootNamespace: string,
): Mode {
  let best: Resource<MeshModeSpec> | undefined;
  let bestRank = 0;
  for (const resource of resources) {
    const rank = rankOf(resource, client, rootNamespace);
    if (rank > bestRank) [best, bestRank] = [resource, rank]; // of equals the oldest stays
  }
  const mode = best?.spec.mode;
  if (mode === undefined || mode === true) return "on";
  return mode === false ? "off" : mode;
}

/** 3 workload, 2 namespace, 1 mesh, 0 not meant. A selector chooses among workloads of its own namespace. */
function rankOf({ namespace, spec }: Resource<MeshModeSpec>, client: ClientContext, rootNamespace: string): number {
  const labels = spec.selector?.matchLabels ?? {};
  if (Object.keys(labels).length > 0) {
    const everywhere = namespace === rootNamespace;
    return (everywhere || namespace === client.namespace) && hasLabels(client.labels, labels) ? 3 : 0;
  }
  if (namespace === client.namespace) return namespace === rootNamespace ? 1 : 2;
  return namespace === rootNamespace ? 1 : 0;
}
