/** Who started whom, where the system tells: /proc of Linux. */

import { readFileSync } from "node:fs";

/** Field 4 of /proc/<pid>/stat (proc(5)). @returns undefined where the system does not say */
export function parentOf(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    return Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return undefined;
  }
}

/** @returns undefined where the system does not say */
export function isWithin(pid: number, root: number): boolean | undefined {
  for (let at: number | undefined = pid; at !== undefined && at > 1; at = parentOf(at)) {
    if (at === root) return true;
  }
  return parentOf(process.pid) === undefined ? undefined : false;
}
