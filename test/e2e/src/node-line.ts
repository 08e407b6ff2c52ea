/** The lines of Node that inmesh supports, and where npx keeps them. */

import { execFile } from "node:child_process";
import { promisify } from "node:util";

export const NODE_LINES = ["20.19", "22", "24", "26"] as const;

/** @returns path of that Node, or undefined when npx cannot have it */
export async function nodeOfLine(line: string): Promise<string | undefined> {
  const { NODE_OPTIONS: _, ...env } = process.env;
  try {
    const { stdout } = await promisify(execFile)("npx", ["-y", `node@${line}`, "-p", "process.execPath"], {
      env,
      timeout: 100_000,
    });
    return stdout.trim().split("\n").at(-1);
  } catch (error) {
    if (process.env["INMESH_REQUIRE_PEERS"] === "1") throw error;
    return undefined;
  }
}
