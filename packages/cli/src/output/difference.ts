/** What an apply would change, as people read it. */

import { shortHost } from "@inmesh/core/admin";
import type { Problem } from "@inmesh/model";
import type { AffectedHost } from "../diff/affected-hosts.js";
import { count } from "./format.js";
import { type Paint, printable } from "./paint.js";
import { placeOf, problemLine, sortProblems, summariseProblems } from "./problems.js";

export interface ChangedField {
  readonly path: string;
  /** Null: the field is new. */
  readonly from: unknown;
  /** Null: the field is gone. */
  readonly to: unknown;
}

export interface Change {
  readonly key: string;
  readonly outcome: "created" | "configured" | "unchanged";
  readonly file: string;
  readonly line: number;
  readonly fields: readonly (ChangedField & { readonly line: number })[];
}

export interface Affected extends AffectedHost {
  /** Calls per second now; null when nobody could be asked. */
  readonly rps: number | null;
  readonly callers: readonly { readonly source: string; readonly rps: number }[];
}

export interface Difference {
  readonly changes: readonly Change[];
  readonly affected: readonly Affected[];
  /** Those that the registry does not have today. */
  readonly problems: readonly Problem[];
  /** How many it has already. */
  readonly known: number;
  readonly unreachable: readonly { readonly name: string; readonly reason: string }[];
}

export interface DifferenceOptions {
  /** Tells of unchanged documents, and names processes. */
  readonly wide: boolean;
  readonly unicode: boolean;
}

export function formatDifference(
  { changes, affected, problems, known }: Difference,
  paint: Paint,
  { wide, unicode }: DifferenceOptions,
): string {
  const arrow = unicode ? "→" : "->";
  const lines: string[] = [];
  for (const change of changes) lines.push(...changeLines(change, paint, arrow, wide));
  if (affected.length > 0) lines.push(paint("bold", "whose calls this touches"));
  for (const host of affected) lines.push(...affectedLines(host, arrow, wide));
  for (const problem of sortProblems(problems)) lines.push(problemLine(problem, paint));
  const tally = (["created", "configured", "unchanged"] as const).flatMap((outcome) => {
    const n = changes.filter((change) => change.outcome === outcome).length;
    return n === 0 ? [] : `${n} ${WORDS[outcome]}`;
  });
  const before = known === 0 ? "" : `; the registry has ${count(known, "problem")} already`;
  lines.push(`${tally.join(", ") || "no document"}: ${summariseProblems(problems).replace("no", "no new")}${before}`);
  return lines.map((line) => `${line}\n`).join("");
}

const WORDS = { created: "new", configured: "changed", unchanged: "unchanged" } as const;

function changeLines(
  { key, outcome, fields, file, line }: Change,
  paint: Paint,
  arrow: string,
  wide: boolean,
): string[] {
  const place = placeOf({ file, line, column: 0 });
  if (outcome === "unchanged") return wide ? [`  ${printable(`${key}  ${place}`)}`] : [];
  if (outcome === "created") return [paint("green", printable(`+ ${key}  ${place}`))];
  const at = (index: number): string => {
    const line = fields[index]?.line ?? 0;
    return wide && line > 0 ? `  ${placeOf({ file, line, column: 0 })}` : "";
  };
  const lines = fieldLines(fields, paint, arrow);
  return [paint("yellow", printable(`~ ${key}  ${place}`)), ...lines.map((text, index) => `${text}${at(index)}`)];
}

/** A line for each field: from what to what. */
export function fieldLines(fields: readonly ChangedField[], paint: Paint, arrow: string): string[] {
  const width = Math.max(...fields.map(({ path }) => path.length));
  return fields.map(({ path, from, to }) => {
    const change =
      from === null
        ? paint("green", printable(`+ ${valueText(to)}`))
        : to === null
          ? paint("red", printable(`- ${valueText(from)}`))
          : `${paint("red", printable(valueText(from)))} ${arrow} ${paint("green", printable(valueText(to)))}`;
    return `    ${printable(path.padEnd(width))}  ${change}`;
  });
}

const MAX_VALUE = 100;

function valueText(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length <= MAX_VALUE ? text : `${text.slice(0, MAX_VALUE)}…`;
}

function affectedLines({ host, processes, rps, callers, shift }: Affected, arrow: string, wide: boolean): string[] {
  const takers = `${count(processes.length, "process takes", "processes take")} the change`;
  const views = processes.length === 0 ? "no process is running" : takers;
  const flow =
    rps === null
      ? "rate unknown"
      : rps === 0
        ? "no calls at the moment"
        : `${rate(rps)} from ${callers.map(({ source, rps: own }) => (callers.length === 1 ? source : `${source} (${rate(own)})`)).join(", ")}`;
  const lines = [
    `  ${shortHost(host)}: ${flow}; ${views}${wide && processes.length > 0 ? `: ${processes.join(", ")}` : ""}`,
  ];
  for (const { subset, host: to, before, after, endpoints } of shift?.shares ?? []) {
    if (before === after) continue;
    const name = subset === "" ? shortHost(to) : subset;
    const of = shift?.everything === true ? "calls" : "the calls that match";
    const carried = rps === null || rps === 0 || shift?.everything !== true ? "" : `, about ${rate(rps * after)}`;
    const who =
      after <= before ? "" : `, on ${endpoints === 0 ? "no endpoint: these would fail" : count(endpoints, "endpoint")}`;
    lines.push(`    ${name}  ${percent(before)} ${arrow} ${percent(after)} of ${of}${carried}${who}`);
  }
  return lines.map(printable);
}

function rate(rps: number): string {
  return `${rps.toFixed(1)} req/s`;
}

function percent(share: number): string {
  return `${Math.round(share * 1_000) / 10}%`;
}
