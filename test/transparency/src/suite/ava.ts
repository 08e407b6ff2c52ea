import { basename, extname, join } from "node:path";
import { outputOf } from "../run/child.js";
import type { Outcome } from "../run/outcome.js";

export async function runAva(folder: string, files: readonly string[], env: NodeJS.ProcessEnv): Promise<Outcome[]> {
  const ava = join(folder, "node_modules/ava/entrypoints/cli.mjs");
  const args = [ava, "--tap", "--concurrency=2", ...files];
  const { output, end } = await outputOf(process.execPath, args, { folder, env, timeout: 20 * 60_000 });
  const outcomes = readTap(output);
  if (outcomes.length === 0) throw new Error(`ava reported no test and ${end}`);
  const [only] = files;
  if (files.length !== 1 || only === undefined) return outcomes;
  return outcomes.map((outcome) => ({ ...outcome, file: outcome.file || basename(only, extname(only)) }));
}

/** As ava writes it: the file stands before the first `›` of a name, as far as several files ran. */
export function readTap(text: string): Outcome[] {
  const lines = text.split("\n");
  return lines.flatMap((line, index) => {
    const found = /^(not )?ok \d+ - (.*?)(?: # (SKIP|TODO).*)?$/.exec(line);
    if (found === null) return [];
    const [, failed, name = "", directive] = found;
    const [file = "", ...rest] = name.split(" › ");
    const result = directive !== undefined ? "skip" : failed === undefined ? "pass" : "fail";
    const message = result === "fail" ? messageAfter(lines, index) : undefined;
    return [
      { file: rest.length === 0 ? "" : file, test: rest.length === 0 ? name : rest.join(" › "), result, message },
    ];
  });
}

function messageAfter(lines: readonly string[], index: number): string | undefined {
  const block = lines.slice(index + 1, index + 30);
  const end = block.findIndex((line) => line.trim() === "...");
  const found = block.slice(0, end < 0 ? undefined : end).find((line) => /^\s+message: /.test(line));
  return found?.replace(/^\s+message: /, "");
}
