import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { outputOf } from "../run/child.js";
import type { Outcome } from "../run/outcome.js";

interface Test {
  readonly file: string | null;
  readonly fullTitle: string;
  readonly err: { readonly message?: string };
}

interface Report {
  readonly passes: readonly Test[];
  readonly failures: readonly Test[];
  readonly pending: readonly Test[];
}

export async function runMocha(
  folder: string,
  args: readonly string[],
  files: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<Outcome[]> {
  const scratch = mkdtempSync(join(tmpdir(), "inmesh-transparency-mocha-"));
  const output = join(scratch, "report.json");
  const mocha = join(folder, "node_modules/mocha/bin/mocha.js");
  const reporter = ["--reporter", "json", "--reporter-option", `output=${output}`];
  try {
    const all = [mocha, ...args, ...reporter, ...files];
    const { end } = await outputOf(process.execPath, all, { folder, env, timeout: 10 * 60_000 });
    if (!existsSync(output)) throw new Error(`mocha wrote no report and ${end}`);
    const { passes, failures, pending } = JSON.parse(readFileSync(output, "utf8")) as Report;
    const outcome = ({ file, fullTitle, err }: Test, result: Outcome["result"]): Outcome => ({
      file: relative(folder, file ?? folder),
      test: fullTitle,
      result,
      message: err.message?.split("\n")[0],
    });
    return [
      ...passes.map((each) => outcome(each, "pass")),
      ...failures.map((each) => outcome(each, "fail")),
      ...pending.map((each) => outcome(each, "skip")),
    ];
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
