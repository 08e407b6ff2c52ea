/** What the backends wrote down themselves: the truth, whatever the callers believe. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Entry {
  /** Times the request reached an application. */
  arrived: number;
  /** Times it was carried out. */
  executed: number;
  /** Times the backend did to it what the load asked for. */
  faulted: number;
}

export const NEVER_ARRIVED: Readonly<Entry> = { arrived: 0, executed: 0, faulted: 0 };

/** @returns by id of the request */
export function readLedger(folder: string): ReadonlyMap<string, Entry> {
  const entries = new Map<string, Entry>();
  for (const file of readdirSync(folder)) {
    // A process that was killed while it wrote leaves half a line, which names no id of a request.
    for (const line of readFileSync(join(folder, file), "utf8").split("\n")) {
      const [kind, id] = line.split(" ");
      if (id === undefined) continue;
      const entry = entries.get(id) ?? { ...NEVER_ARRIVED };
      if (kind === "R") entry.arrived += 1;
      else if (kind === "X") entry.executed += 1;
      else entry.faulted += 1;
      entries.set(id, entry);
    }
  }
  return entries;
}
