/** How the processes that call a service stand with the limits and circuit breakers of its policy. */

import type { Lease } from "@inmesh/core";
import type { BreakerView, ClustersView, ClusterView, LimitsView } from "@inmesh/core/admin";
import type { Snapshot } from "@inmesh/model";
import { clusterName } from "@inmesh/model";
import type { AdminClient } from "../live/admin-client.js";
import { processName, readProcesses } from "../live/processes.js";

/** One cluster of one process that called it. */
export interface DescribedCaller {
  readonly name: string;
  readonly port: number;
  readonly subset: string;
  readonly limits: LimitsView | null;
  readonly breakers: readonly BreakerView[];
}

/** Where policy has neither limits nor breakers no process is asked. */
export async function describeCallers(
  snapshot: Snapshot,
  { host, ports }: { readonly host: string; readonly ports: readonly { readonly number: number }[] },
  subsets: readonly string[],
  leases: readonly Lease[],
  client: AdminClient,
): Promise<readonly DescribedCaller[]> {
  const guarded = ports.some(({ number }) =>
    ["", ...subsets].some((subset) => {
      const { limits, retryBudget, breaker } = snapshot.cluster(clusterName(number, subset, host))?.policy ?? {};
      return limits !== undefined || retryBudget !== undefined || breaker !== undefined;
    }),
  );
  if (!guarded) return [];
  const asked = leases.filter(({ admin }) => admin !== undefined);
  const readings = await readProcesses<ClustersView>(client, asked, "/clusters", ["clusters"]);
  return readings.flatMap(({ lease, view }) =>
    (view?.clusters ?? [])
      .filter((cluster) => cluster.host === host)
      .map((cluster) => callerOf(processName(lease), cluster)),
  );
}

/** A process of an older version says nothing of either. */
function callerOf(name: string, { port, subset, limits, breakers }: ClusterView): DescribedCaller {
  return { name, port, subset, limits: limits ?? null, breakers: breakers ?? [] };
}
