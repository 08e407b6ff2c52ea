/** Command lines of `inmesh` in this process, and what they wrote. */

import { tmpdir } from "node:os";
import { systemClock } from "@inmesh/core";
import { run } from "inmesh";

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** @param line words apart by spaces, those in quotes as one */
export async function runCli(line: string, env: Readonly<Record<string, string>>, stdin = ""): Promise<Outcome> {
  const words = (line.match(/"[^"]*"|\S+/g) ?? []).map((word) => word.replaceAll('"', ""));
  let stdout = "";
  let stderr = "";
  const code = await run(words, {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    stdin: (async function* () {
      yield stdin;
    })(),
    ...{ env, cwd: tmpdir(), clock: systemClock, user: "tester@here", signal: new AbortController().signal },
  });
  return { code, stdout, stderr };
}
