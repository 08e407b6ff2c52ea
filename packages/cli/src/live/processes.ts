/** Asks every process of a registry the same question, several at a time. */

import type { Lease } from "@inmesh/core";
import type { AdminClient } from "./admin-client.js";
import { AdminError } from "./admin-client.js";

/** What one process said, or a phrase that says why it did not. */
export type Reading<View> =
  | { readonly lease: Lease; readonly view: View; readonly failure?: undefined }
  | { readonly lease: Lease; readonly view?: undefined; readonly failure: string };

const AT_A_TIME = 16;

/** In the order of the leases. Rejects only when interrupted. */
export async function readProcesses<View>(
  client: AdminClient,
  leases: readonly Lease[],
  path: string,
  fields: readonly (keyof View & string)[],
  how: "read" | "write" = "read",
): Promise<Reading<View>[]> {
  const readings = new Array<Reading<View>>(leases.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < leases.length; at = next++) {
      readings[at] = await readProcess(client, leases[at]!, path, fields, how); // at is in range
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, leases.length) }, worker));
  return readings;
}

async function readProcess<View>(
  client: AdminClient,
  lease: Lease,
  path: string,
  fields: readonly (keyof View & string)[],
  how: "read" | "write",
): Promise<Reading<View>> {
  try {
    const admin = await client.addressOf(lease);
    if (admin === undefined) return { lease, failure: "it has no admin endpoint" };
    return { lease, view: await client[how]<View>(admin, path, fields) };
  } catch (error) {
    if (error instanceof AdminError) return { lease, failure: error.message };
    throw error;
  }
}

/** Whether there is any place to ask it at, with `--remote` or without. */
export function canBeAsked({ admin, ports }: Lease, remote = false): boolean {
  return admin !== undefined || (remote && ports.length > 0);
}

/** `reviews-1b20` reads better than the whole lease name, and is nearly always unique. */
export function processName({
  service,
  instance,
  namespace,
}: Pick<Lease, "service" | "instance" | "namespace">): string {
  return `${namespace}/${instance.startsWith(service) ? instance : `${service}-${instance}`}`;
}
