/** Suites written for `node --test`. Both projects start it through borp, which adds coverage and nothing that matters here. */

import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { outputOf } from "../run/child.js";
import type { Outcome } from "../run/outcome.js";

const REPORTER = fileURLToPath(new URL("../run/node-test-reporter.js", import.meta.url));

export interface NodeTestOptions {
  readonly flags?: readonly string[];
  /** Of one file, in ms. */
  readonly fileTimeout: number;
}

export async function runNodeTest(
  folder: string,
  files: readonly string[],
  env: NodeJS.ProcessEnv,
  { flags = [], fileTimeout }: NodeTestOptions,
): Promise<Outcome[]> {
  const args = [
    ...flags,
    "--test",
    "--test-concurrency=2",
    `--test-timeout=${fileTimeout}`,
    `--test-reporter=${REPORTER}`,
    ...files,
  ];
  const { output, end } = await outputOf(process.execPath, args, { folder, env, timeout: 30 * 60_000 });
  if (!output.includes("{")) throw new Error(`node --test reported no test and ${end}`);
  return output
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => {
      const outcome = JSON.parse(line) as Outcome;
      return { ...outcome, file: relative(folder, outcome.file) };
    });
}
