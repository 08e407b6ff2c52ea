/** The verdicts as a table for people. */

import type { Verdict } from "./run-scenarios.js";
import type { Recovery } from "./scenario/metastable.js";
import type { Share } from "./tally.js";

export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = heads.map((head, column) => Math.max(head.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  return [line(heads), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...rows.map(line)].join("\n");
}

export function printVerdicts(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ tally, broken }) => [
    tally.name,
    String(tally.all.sent),
    percent(tally.idempotent),
    percent(tally.posts),
    tally.amplification.toFixed(3),
    `${tally.p50.toFixed(0)} / ${tally.p99.toFixed(0)}`,
    `${tally.postsExecutedTwice} / ${tally.postsUnknown}`,
    printReasons(tally.reasons),
    broken.length === 0 ? "holds" : "DOES NOT HOLD",
  ]);
  const heads = [
    "fault",
    "sent",
    "idempotent",
    "POST",
    "load",
    "p50 / p99 ms",
    "POSTs twice / unknown",
    "failed with",
    "",
  ];
  return [table(heads, rows), ...printBroken(verdicts)].join("\n");
}

export function printRecoveries(recoveries: readonly Recovery[]): string {
  const rows = recoveries.map(({ name, tally, before, during, after, backAfterMs, seconds, broken }) => [
    name,
    share(before),
    share(during),
    share(after),
    backAfterMs === undefined ? "never" : `${(backAfterMs / 1_000).toFixed(1)} s`,
    tally.amplification.toFixed(2),
    seconds.map((ratio) => BARS[Math.floor(ratio * (BARS.length - 1))]).join(""),
    broken.length === 0 ? "holds" : broken.join("; "),
  ]);
  return table(
    ["trigger", "before", "meanwhile", "at the end", "back at 95 % after", "load", "second by second", ""],
    rows,
  );
}

const BARS = "▁▂▃▄▅▆▇█";
const share = (ratio: number): string => `${Math.floor(ratio * 100)} %`;

export function printBroken(verdicts: readonly Verdict[]): readonly string[] {
  return verdicts.flatMap(({ tally, broken }) => broken.map((each) => `${tally.name}: ${each}`));
}

export function percent({ ok, sent }: Share): string {
  return sent === 0 ? "-" : `${(Math.floor((ok / sent) * 100_000) / 1_000).toFixed(2)} %`;
}

function printReasons(reasons: ReadonlyMap<string, number>): string {
  return [...reasons].map(([reason, count]) => `${count} ${reason}`).join(", ");
}
