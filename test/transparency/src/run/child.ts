/** One process of somebody else's, with a bound on its time. */

import { spawn } from "node:child_process";

export interface ChildOptions {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  /** In ms. */
  readonly timeout: number;
}

/** @returns what it wrote to stdout, whatever its exit code: a suite with failing tests is a result, too */
export function outputOf(
  command: string,
  args: readonly string[],
  { folder, env, timeout }: ChildOptions,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: folder, env, timeout, stdio: ["ignore", "pipe", "ignore"] });
    const chunks: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.on("error", reject);
    child.on("close", () => resolve(Buffer.concat(chunks).toString("utf8")));
  });
}
