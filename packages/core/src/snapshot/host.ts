/** Which machine this is, and which of its processes live. Lets a reader drop the lease of a killed process at once. */

import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { hostname, networkInterfaces } from "node:os";

export interface Host {
  /** Equal in two processes only if one can ask the system about the other's pid. */
  readonly id: string;
  /**
   * When the process started, in a form that is only compared; empty when there is no such process, or it is a zombie,
   * which serves nobody. Undefined where the system does not say.
   */
  startOf(pid: number): string | undefined;
  /** False when no process has this pid. */
  exists(pid: number): boolean;
}

export function createHost(): Host {
  const id = hostId();
  return { id, startOf, exists };
}

/** Boot and pid namespace: a container on the same kernel has pids of its own. Elsewhere the network cards tell. */
function hostId(): string {
  const name = hostname();
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${name}/${boot}/${readlinkSync("/proc/self/ns/pid").replace(/\D/g, "")}`;
  } catch {
    const cards = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
    const addresses = new Set(cards.filter(({ internal }) => !internal).map(({ mac }) => mac));
    return `${name}/${[...addresses].sort().join("+")}`;
  }
}

/** See Host. */
export function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
}

/** Field 22 of /proc/<pid>/stat (proc(5)), in clock ticks since boot. */
function startOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" "); // the command before may hold anything
    return fields[0] === "Z" ? "" : (fields[19] ?? "");
  } catch (error) {
    // Out of file descriptors, say: that proves nothing about the other process.
    const missing = error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH");
    return missing && existsSync("/proc/self/stat") ? "" : undefined;
  }
}
