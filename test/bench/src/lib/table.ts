/** A table for people; the same data goes out as JSON with --json. */

import { arch, cpus, platform } from "node:os";
import type { Spread } from "./stats.js";

export type Row = Readonly<Record<string, string | number>>;

export interface Report {
  readonly bench: string;
  readonly rows: readonly Row[];
  readonly notes: readonly string[];
}

export function machine(): string {
  const [first] = cpus();
  return `${first?.model.trim() ?? "unknown CPU"} x ${cpus().length}, ${platform()}-${arch()}, Node ${process.version}`;
}

export function print({ bench, rows, notes }: Report, json: boolean): void {
  if (json) return console.log(JSON.stringify({ bench, machine: machine(), rows, notes }));
  console.log(`\n${bench}`);
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cells = [columns, ...rows.map((row) => columns.map((column) => String(row[column] ?? "")))];
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => line[index]!.length))); // same length
  for (const line of cells) {
    console.log(
      line.map((cell, index) => (index === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[index]!))).join("  "),
    );
  }
  for (const note of notes) console.log(`  ${note}`);
}

/** `12.3 (11.9–13.0)`: median and quartiles. */
export function show({ low, median, high }: Spread, digits: number): string {
  return `${median.toFixed(digits)} (${low.toFixed(digits)}–${high.toFixed(digits)})`;
}
