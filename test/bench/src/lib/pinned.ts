/**
 * A process of its own for one measurement: what one variant leaves behind (hooks, shapes, compiled code) is not the
 * next one's. Where the system has `taskset` and more than one CPU, the measuring process gets one CPU and its upstream
 * another (performance.md §10: "client process pinned").
 */

import { type ChildProcess, fork, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpus } from "node:os";

/** CPU of the process that is measured, and of everything it talks to. */
export const MEASURED_CPU = 1;
export const OTHER_CPU = 0;

/** By all CPUs of the machine: a process pinned to one of them must still be able to send its upstream to another. */
const canPin = cpus().length > 1 && spawnSync("taskset", ["-c", String(MEASURED_CPU), "true"]).status === 0;

export const PINNING = canPin
  ? `each row in a process of its own, pinned to CPU ${MEASURED_CPU}, the upstream to CPU ${OTHER_CPU}`
  : "each row in a process of its own; not pinned: no taskset here";

/** `fork` on one CPU. */
export function forkPinned(
  module: string,
  args: readonly string[],
  cpu: number,
  flags: readonly string[],
): ChildProcess {
  if (!canPin) return fork(module, args, { execArgv: [...flags] });
  return fork(module, args, { execPath: "taskset", execArgv: ["-c", String(cpu), process.execPath, ...flags] });
}

/** Command and arguments that put any program on one CPU. */
export function onCpu(cpu: number, command: string, args: readonly string[]): readonly [string, readonly string[]] {
  return canPin ? ["taskset", ["-c", String(cpu), command, ...args]] : [command, args];
}

/** Runs `module` and resolves with the first message it sends. */
export async function measureApart<Result>(module: string, args: readonly string[]): Promise<Result> {
  const child = forkPinned(module, args, MEASURED_CPU, ["--expose-gc"]);
  const answer = once(child, "message");
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`the measurement ${args.join(" ")} ended with ${code} before it said anything`);
  });
  const [message] = (await Promise.race([answer, ended])) as [Result];
  ended.catch(() => {}); // it ends once it has spoken, and stopped what it started
  return message;
}
