/** Which lease belongs to which child. A child may be `npm start`, and the process that listens its grandchild. */

import { readFileSync } from "node:fs";
import type { Lease } from "@inmesh/core";
import type { Instance } from "./instance.js";

type Known = Pick<Instance, "pid"> & { readonly spec: { readonly service: string } };

/** @param groupOf process group of a pid, undefined where the system does not say */
export function leaseOf(
  instance: Known,
  all: readonly Known[],
  leases: readonly Lease[],
  groupOf: (pid: number) => number | undefined = processGroup,
): Lease | undefined {
  const { service } = instance.spec;
  const mine = leases.filter(
    (lease) => lease.service === service && (lease.pid === instance.pid || groupOf(lease.pid) === instance.pid),
  );
  const listening = mine.find(({ ports }) => ports.length > 0) ?? mine[0];
  if (listening !== undefined) return listening;
  // Without groups (no /proc): one child and one lease of a service belong together.
  const siblings = all.filter((other) => other.spec.service === service);
  const candidates = leases.filter((lease) => lease.service === service && groupOf(lease.pid) === undefined);
  return siblings.length === 1 && candidates.length === 1 ? candidates[0] : undefined;
}

/** Field 5 of /proc/<pid>/stat (proc(5)). */
function processGroup(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    return Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[2]);
  } catch {
    return undefined;
  }
}
