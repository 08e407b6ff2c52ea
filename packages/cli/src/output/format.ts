/** One result, printed the way the user asked for. Tables are for people; the other forms are contracts. */

import { stringify } from "yaml";
import type { Cli } from "../cli.js";
import { type Column, formatTable } from "./table.js";

export type Format = "table" | "wide" | "json" | "yaml" | "name";

export const LIST_FORMATS: readonly Format[] = ["table", "wide", "json", "yaml", "name"];
/** Of what a change did to each resource. */
export const CHANGE_FORMATS: readonly Format[] = ["table", "json", "yaml", "name"];
export const REPORT_FORMATS: readonly Format[] = ["table", "json", "yaml"];

/** @param json the document for `json` and `yaml` */
export function printData(cli: Cli, format: "json" | "yaml", json: unknown): void {
  cli.print(format === "json" ? `${JSON.stringify(json, null, 2)}\n` : stringify(json, YAML));
}

const YAML = { lineWidth: 0, aliasDuplicateObjects: false } as const;

export interface Listing<Row> {
  readonly rows: readonly Row[];
  readonly columns: readonly Column<Row>[];
  /** The document for `json` and `yaml`. */
  readonly json: unknown;
  /** What `-o name` prints for a row. */
  readonly name: (row: Row) => string;
  /** Said on stderr when there are no rows: why, and what would change it. */
  readonly empty: string;
}

export function printListing<Row>(cli: Cli, format: Format, { rows, columns, json, name, empty }: Listing<Row>): void {
  if (format === "json" || format === "yaml") return printData(cli, format, json);
  if (rows.length === 0) return cli.note(empty);
  if (format === "name") return cli.print(rows.map((row) => `${name(row)}\n`).join(""));
  cli.print(formatTable(rows, columns, { wide: format === "wide" }));
}

/** `4ms`, `0.4ms`, `3s`, `2m`, `5h`, `3d`: short, of one unit. */
export function formatMs(ms: number): string {
  if (ms < 1) return `${Math.round(ms * 100) / 100}ms`;
  if (ms < 10) return `${Math.round(ms * 10) / 10}ms`;
  if (ms < 1_000) return `${Math.round(ms)}ms`;
  if (ms < 10_000) return `${Math.round(ms / 100) / 10}s`;
  if (ms < 120_000) return `${Math.round(ms / 1_000)}s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)}m`;
  if (ms < 172_800_000) return `${Math.round(ms / 3_600_000)}h`;
  return `${Math.round(ms / 86_400_000)}d`;
}

/** `1 document`, `3 documents`. */
export function count(n: number, noun: string, plural = `${noun}s`): string {
  return `${n} ${n === 1 ? noun : plural}`;
}
