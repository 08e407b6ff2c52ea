/** One process of somebody else's, with a bound on its time. */

import { spawn } from "node:child_process";

export interface ChildOptions {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  /** In ms. */
  readonly timeout: number;
}

/** Of stderr, in characters: enough for an error and its stack. */
const COMPLAINT = 4_000;

export interface Output {
  readonly output: string;
  /** Of its end; null when a signal made it. */
  readonly code: number | null;
  /** How it ended, for whoever finds the output wanting. */
  readonly end: string;
}

/** Whatever its exit code: a suite with failing tests is a result, too. */
export function outputOf(
  command: string,
  args: readonly string[],
  { folder, env, timeout }: ChildOptions,
): Promise<Output> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: folder, env, timeout, stdio: ["ignore", "pipe", "pipe"] });
    const chunks: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    let complaint = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaint = (complaint + text).slice(-COMPLAINT);
    });
    child.on("error", reject);
    child.on("close", (code, signal) => {
      const output = Buffer.concat(chunks).toString("utf8");
      resolve({ output, code, end: `ended with ${signal ?? code}: ${complaint.trim()}` });
    });
  });
}
