/** CPU that whole processes have used, as Linux' scheduler counts it: all threads, in ns. */

import { readdirSync, readFileSync } from "node:fs";

/** What the scheduler says of one thread: ns on a CPU, ns waiting for one, time slices. */
const SCHEDSTAT = "schedstat";

export const COUNTS_CPU = (() => {
  try {
    return readFileSync(`/proc/${process.pid}/${SCHEDSTAT}`, "utf8") !== "";
  } catch {
    return false;
  }
})();

/** us of CPU each process has used so far, in the order of `pids`. A thread that has ended is not counted any more. */
export function cpuUs(pids: readonly number[]): number[] {
  return pids.map((pid) =>
    readdirSync(`/proc/${pid}/task`).reduce(
      (sum, thread) =>
        sum + Number(readFileSync(`/proc/${pid}/task/${thread}/${SCHEDSTAT}`, "utf8").split(" ")[0]) / 1_000,
      0,
    ),
  );
}

/** Memory of one process that is in RAM now, in MB. */
export function rssMb(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(found?.[1]) / 1_024;
}
