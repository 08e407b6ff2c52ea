/** What the processes of a mesh remember of one request: those that run, and those that left a dump. */

import type { Lease } from "@inmesh/core";
import type { OutcomesView, RememberedOutcome } from "@inmesh/core/admin";
import { type Dump, isOutcome } from "@inmesh/core/internal";
import type { AdminClient } from "./admin-client.js";
import { processName, readProcesses } from "./processes.js";

export interface Remembered {
  readonly outcomes: readonly RememberedOutcome[];
  readonly failed: readonly { readonly lease: Lease; readonly reason: string }[];
}

/** @param query of GET /outcomes, without `?` */
export async function readRemembered(
  client: AdminClient,
  leases: readonly Lease[],
  query: string,
): Promise<Remembered> {
  const readings = await readProcesses<OutcomesView>(client, leases, `/outcomes?${query}`, ["outcomes"]);
  return {
    outcomes: readings.flatMap(({ lease, view }) =>
      (view?.outcomes ?? []).filter(isOutcome).map((outcome) => ({
        ...{ service: `${lease.namespace}/${lease.service}`, process: processName(lease), dump: "", outcome },
      })),
    ),
    failed: readings.flatMap(({ lease, failure }) => (failure === undefined ? [] : { lease, reason: failure })),
  };
}

export function dumped(dumps: readonly Dump[]): RememberedOutcome[] {
  return dumps.flatMap((dump) => {
    const { namespace, service, cause, outcomes } = dump;
    const process = processName(dump);
    return outcomes.map((outcome) => ({ service: `${namespace}/${service}`, process, dump: cause, outcome }));
  });
}
