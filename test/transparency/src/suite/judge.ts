/** Runs a suite bare, with its hosts outside the mesh, and with them inside; tells what passes bare only. */

import { count, type Difference, lost, repeated } from "../run/compare.js";
import { meshEnvironment } from "../run/mesh-environment.js";
import type { Outcome, Way } from "../run/outcome.js";
import { reasonFor } from "./known.js";
import type { Suite } from "./suite.js";

export interface Verdict {
  readonly way: Way;
  readonly pass: number;
  readonly fail: number;
  /** Absent for the bare run. */
  readonly explained: readonly (Difference & { readonly reason: string })[];
  readonly unexplained: readonly Difference[];
}

/** A file with a difference runs again, both ways, at most so often: what does not repeat was chance. */
const AGAIN = 1;

export interface JudgeOptions {
  readonly folder: string;
  readonly ways: readonly Way[];
  /** Only files whose path contains this. */
  readonly only?: string | undefined;
  readonly say: (line: string) => void;
}

export async function judge(suite: Suite, { folder, ways, only = "", say }: JudgeOptions): Promise<Verdict[]> {
  const files = suite.files(folder).filter((file) => file.includes(only));
  const run = async (way: Way, some: readonly string[]): Promise<Outcome[]> => {
    using environment = meshEnvironment(way, suite.nodeOptions);
    return await suite.run(folder, some, environment.env); // the folder must outlive the run
  };
  say(`${suite.name}: ${files.length} files, bare`);
  const bare = await run("bare", files);
  const tell = (way: Way, outcomes: readonly Outcome[]): void => {
    const { pass, fail } = count(outcomes);
    say(`${suite.name}: ${way}: ${pass} pass, ${fail} fail`);
  };
  tell("bare", bare);
  const verdicts: Verdict[] = [{ way: "bare", ...count(bare), explained: [], unexplained: [] }];
  for (const way of ways) {
    say(`${suite.name}: ${way}`);
    const meshed = await run(way, files);
    tell(way, meshed);
    let differences = lost(bare, meshed);
    for (const { file, test, message } of differences) say(`${suite.name}: at first ${file} ${test}: ${message}`);
    for (let again = 0; again < AGAIN && differences.length > 0; again++) {
      const suspects = filesOf(differences, files);
      say(`${suite.name}: ${differences.length} differences ${way}, again ${suspects.length} files`);
      differences = repeated(differences, lost(await run("bare", suspects), await run(way, suspects)));
    }
    for (const { file, test, message } of differences) say(`${suite.name}: ${way} loses ${file} ${test}: ${message}`);
    const explained = differences.flatMap((each) => {
      const reason = reasonFor(suite.name, way, each);
      return reason === undefined ? [] : [{ ...each, reason }];
    });
    const unexplained = differences.filter((each) => reasonFor(suite.name, way, each) === undefined);
    verdicts.push({ way, ...count(meshed), explained, unexplained });
  }
  return verdicts;
}

/** ava names a file without folder and ending. */
function filesOf(differences: readonly Difference[], files: readonly string[]): string[] {
  const names = new Set(differences.map(({ file }) => file));
  const found = files.filter((file) => names.has(file) || names.has(file.replace(/^test\/|\.ts$/g, "")));
  return found.length > 0 ? found : [...files];
}
