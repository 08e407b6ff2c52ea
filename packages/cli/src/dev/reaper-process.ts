/** The program of reaper.ts: reads what to clean up, waits for the pipe to break, cleans up. */

import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { PROGRAM } from "../own-files.js";
import { groupLives, signalGroup } from "./process-group.js";
import type { Undo } from "./reaper.js";

/** Between SIGTERM and SIGKILL, in ms. */
const GRACE_MS = 3_000;
const LOOK_MS = 50;

interface State {
  readonly groups: readonly number[];
  readonly paths: readonly string[];
  readonly undo?: Undo;
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
    if (state.undo !== undefined) takeBack(state.undo);
  }, LOOK_MS);
}

/** As a person would: the registry may be anything that the command can write. */
function takeBack({ config, documents }: Undo): void {
  for (const { kind, namespace, name } of documents) {
    const args = [PROGRAM, "delete", `${kind}/${name}`, "-n", namespace];
    spawn(process.execPath, args, { stdio: "ignore", env: { ...process.env, INMESH_CONFIG: config } });
  }
}
