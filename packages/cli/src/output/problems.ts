/** Problems as lines: `IM0102 error reviews.yaml:14:19 subset "v3" of "reviews.shop" is not defined …`. */

import { type Problem, type Severity, worstSeverity } from "@inmesh/model";
import type { Cli } from "../cli.js";
import { count, type Format, printData } from "./format.js";
import { type Paint, printable, type Style } from "./paint.js";

const STYLES: Readonly<Record<Severity, Style>> = { error: "red", warning: "yellow", info: "cyan" };

/** By file, then position; what has no place comes first. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  return [...problems].sort(
    (a, b) => compare(a.file, b.file) || a.line - b.line || a.column - b.column || compare(a.code, b.code),
  );
}

export function problemLine(problem: Problem, paint: Paint): string {
  const { code, severity, message, resource, path } = problem;
  const place = placeOf(problem) || resource;
  const field = path === "" ? "" : `${paint("dim", printable(`(${path})`))} `;
  const where = place === "" ? "" : `${paint("bold", printable(place))} `;
  return `${printable(code)} ${paint(STYLES[severity] ?? "red", severity)} ${where}${field}${printable(message)}`;
}

/** `reviews.yaml:14:19`, as far as it is known. */
export function placeOf({ file, line, column }: Pick<Problem, "file" | "line" | "column">): string {
  if (file === "" || line === 0) return file;
  return column === 0 ? `${file}:${line}` : `${file}:${line}:${column}`;
}

/** `1 error, 2 warnings`, or `no problems`. */
export function summariseProblems(problems: readonly Problem[]): string {
  const parts = (["error", "warning", "info"] as const).flatMap((severity) => {
    const n = problems.filter((problem) => problem.severity === severity).length;
    return n === 0 ? [] : severity === "info" ? `${n} info` : count(n, severity);
  });
  return parts.join(", ") || "no problems";
}

/** @param judged what was looked at, for the line on stderr: `3 documents` */
export function printProblems(cli: Cli, format: Format, problems: readonly Problem[], judged: string): void {
  const sorted = sortProblems(problems);
  if (format === "json" || format === "yaml") return printData(cli, format, { problems: sorted.map(plain) });
  for (const problem of sorted) cli.print(`${problemLine(problem, cli.paint)}\n`);
  const [worst] = sorted.filter(({ severity }) => severity === worstSeverity(sorted));
  cli.note(`${judged}: ${summariseProblems(sorted)}.${worst === undefined ? "" : ` More: inmesh help ${worst.code}`}`);
}

/** The contract's fields in the contract's order, whatever else a problem carries. */
function plain({ code, severity, message, resource, path, file, line, column }: Problem): Problem {
  return { code, severity, message, resource, path, file, line, column };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
