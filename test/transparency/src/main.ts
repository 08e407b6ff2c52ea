/** `npm run transparency -- SUITE FOLDER [outside|inside] [--only PART]`, or `-- apps [NAME…]`. */

import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { APPS } from "./apps/apps.js";
import { judgeApps } from "./apps/print-apps.js";
import type { Way } from "./run/outcome.js";
import { judge, type Verdict } from "./suite/judge.js";
import { SUITES } from "./suite/suites.js";

const { positionals, values } = parseArgs({ allowPositionals: true, options: { only: { type: "string" } } });
const [what = "", folder, way] = positionals;
const suite = SUITES.find(({ name }) => name === what);

if (what === "apps") {
  const names = positionals.slice(1);
  const unknown = names.filter((name) => !APPS.some((app) => app.name === name));
  if (unknown.length === 0)
    process.exitCode = await judgeApps(APPS.filter(({ name }) => names.length === 0 || names.includes(name)));
  else {
    console.error(`There is no ${unknown.join(", ")}. Expected: ${APPS.map(({ name }) => name).join(", ")}`);
    process.exitCode = 2;
  }
} else if (suite === undefined || folder === undefined || ![undefined, "outside", "inside"].includes(way)) {
  console.error(`Expected: ${SUITES.map(({ name }) => name).join("|")} FOLDER [outside|inside] [--only PART]`);
  console.error("or: apps [NAME…]");
  console.error("FOLDER is a checkout of the project with its dependencies installed. See docs/guides/transparency.md");
  process.exitCode = 2;
} else {
  const ways: Way[] = way === undefined ? ["outside", "inside"] : [way as Way];
  const start = resolve(process.env["INIT_CWD"] ?? ".", folder);
  const verdicts = await judge(suite, { folder: start, ways, only: values.only, say: (line) => console.error(line) });
  print(verdicts);
  if (verdicts.some(({ unexplained }) => unexplained.length > 0)) process.exitCode = 1;
}

function print(verdicts: readonly Verdict[]): void {
  console.log(
    `${"way".padEnd(10)}${"pass".padStart(6)}${"fail".padStart(6)}${"lost".padStart(6)}${"explained".padStart(11)}`,
  );
  for (const { way: name, pass, fail, unexplained, explained } of verdicts) {
    const figures = [
      String(pass).padStart(6),
      String(fail).padStart(6),
      String(unexplained.length).padStart(6),
      String(explained.length).padStart(11),
    ];
    console.log(`${name.padEnd(10)}${figures.join("")}`);
  }
  for (const { way: name, unexplained, explained } of verdicts) {
    for (const { file, test, message } of unexplained) console.log(`LOST ${name}: ${file} ${test}: ${message}`);
    for (const { file, test, reason } of explained) console.log(`known ${name}: ${file} ${test}: ${reason}`);
  }
}
