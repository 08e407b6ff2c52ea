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

export { count, shortMs as formatMs } from "@inmesh/core/admin";
