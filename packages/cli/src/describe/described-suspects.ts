/** Instances of a service that processes go on to use although the registry lost them, with many others at once. */

import type { Lease } from "@inmesh/core";
import type { RegistryReading } from "@inmesh/core/admin";
import type { AdminClient } from "../live/admin-client.js";
import { processName, readProcesses } from "../live/processes.js";

export interface DescribedSuspects {
  /** Process that holds them back. */
  readonly process: string;
  /** Names of workloads. */
  readonly instances: readonly string[];
  /** How many instances the service had before. */
  readonly of: number;
  /** Until the registry is obeyed. */
  readonly forMs: number;
}

export async function describeSuspects(
  { namespace, name }: { readonly namespace: string; readonly name: string },
  leases: readonly Lease[],
  client: AdminClient,
): Promise<readonly DescribedSuspects[]> {
  const asked = leases.filter(({ admin }) => admin !== undefined);
  const readings = await readProcesses<RegistryReading>(client, asked, "/registry", ["held"]);
  return readings.flatMap(({ lease, view }) =>
    (view?.held ?? [])
      .filter((held) => held.namespace === namespace && held.service === name)
      .map(({ instances, of, forMs }) => ({ process: processName(lease), instances, of, forMs })),
  );
}
