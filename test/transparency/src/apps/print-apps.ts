/** Judges apps one after the other and prints a line for each. */

import { inspect } from "node:util";
import type { App } from "./app.js";
import { type AppVerdict, judgeApp } from "./judge-app.js";
import type { End } from "./running-app.js";

/** @returns the exit code: 1 when one of them is not the same with a mesh */
export async function judgeApps(apps: readonly App[]): Promise<number> {
  let code = 0;
  for (const app of apps) {
    try {
      const verdict = await judgeApp(app, (line) => console.error(line));
      console.log(lineOf(verdict));
      if (verdict.same) continue;
      console.log(`bare:\n${inspect(verdict.bare, { depth: 6 })}\nmeshed:\n${inspect(verdict.meshed, { depth: 6 })}`);
    } catch (error) {
      console.log(`${app.name.padEnd(18)}failed: ${error instanceof Error ? error.message : error}`);
    }
    code = 1;
  }
  return code;
}

function lineOf({ name, same, bare, meshed }: AppVerdict): string {
  const ends = Object.keys(bare.ends).map(
    (signal) => `${signal} ${endOf(bare.ends[signal])} / ${endOf(meshed.ends[signal])}`,
  );
  return `${name.padEnd(18)}${same ? "same" : "DIFFERS"}  ${ends.join("  ")}`;
}

function endOf(end: End | undefined): string {
  return String(end?.signal ?? end?.code);
}
