/** The program of reaper.ts: reads what to clean up, waits for the pipe to break, cleans up. */

import { rmSync } from "node:fs";
import { groupLives, signalGroup } from "./process-group.js";

/** Between SIGTERM and SIGKILL, in ms. */
const GRACE_MS = 3_000;
const LOOK_MS = 50;

interface State {
  readonly groups: readonly number[];
  readonly paths: readonly string[];
}

let state: State = { groups: [], paths: [] };
let rest = "";

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
process.stdin.setEncoding("utf8");
process.stdin.on("data", (chunk) => {
  const lines = (rest + chunk).split("\n");
  rest = lines.pop() ?? "";
  const last = lines.at(-1);
  if (last !== undefined) state = JSON.parse(last) as State; // written by reaper.ts only
});
process.stdin.on("close", cleanUp);

function cleanUp(): void {
  for (const pid of state.groups) signalGroup(pid, "SIGTERM");
  const killAt = performance.now() + GRACE_MS;
  const look = setInterval(() => {
    const left = state.groups.filter(groupLives);
    if (left.length > 0 && performance.now() < killAt) return;
    for (const pid of left) signalGroup(pid, "SIGKILL");
    for (const path of state.paths) rmSync(path, { recursive: true, force: true });
    clearInterval(look);
  }, LOOK_MS);
}
