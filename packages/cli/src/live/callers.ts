/** What running callers know about where a request goes, for explanations. */

import type { Explanation, Lease } from "@inmesh/core";
import { type ClustersView, type LiveExplanation, liveExplanation, type RequestsView } from "@inmesh/core/admin";
import type { ClientContext } from "@inmesh/model";
import type { AdminClient } from "./admin-client.js";
import { processName, readProcesses } from "./processes.js";

/** Asks the processes of the caller; where it has no name, every process. Null where none of them has called there. */
export async function readLive(
  client: AdminClient,
  leases: readonly Lease[],
  caller: ClientContext,
  explanation: Explanation,
): Promise<LiveExplanation | null> {
  if (explanation.outcome !== "route") return null;
  const asked = leases.filter(
    ({ namespace, service }) => caller.service === "" || (namespace === caller.namespace && service === caller.service),
  );
  const [clusters, requests] = await Promise.all([
    readProcesses<ClustersView>(client, asked, "/clusters", ["clusters"]),
    readProcesses<RequestsView>(client, asked, "/requests", ["requests"]),
  ]);
  return liveExplanation(
    explanation,
    clusters.flatMap(({ lease, view }, at) => {
      const last = requests[at]?.view;
      return view === undefined
        ? []
        : [{ process: processName(lease), clusters: view, ...(last && { requests: last }) }];
    }),
  );
}
