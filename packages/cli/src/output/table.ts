/** Columns two spaces apart, as wide as their widest cell. */

import { stripVTControlCharacters } from "node:util";
import { printable } from "./paint.js";

export interface Column<Row> {
  readonly title: string;
  /** Text of the cell; control characters in it are shown, not sent. Empty cells are printed as `-`. */
  readonly cell: (row: Row) => string;
  /** Numbers stand at the right. @default "left" */
  readonly align?: "left" | "right";
  /** Colours the finished text of the cell, without changing its letters. */
  readonly paint?: (text: string, row: Row) => string;
  /** Printed with `-o wide` only. @default false */
  readonly wide?: boolean;
}

export interface TableOptions {
  /** @default false */
  readonly wide?: boolean;
  /** Leaves out the line of titles. @default false */
  readonly bare?: boolean;
}

/** @returns lines with their ends; no line ends in spaces */
export function formatTable<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  { wide = false, bare = false }: TableOptions = {},
): string {
  const shown = columns.filter((column) => wide || !column.wide);
  const texts = rows.map((row) => shown.map(({ cell }) => printable(cell(row)) || "-"));
  const widths = shown.map(
    ({ title }, at) => texts.reduce((widest, cells) => Math.max(widest, cells[at]!.length), bare ? 0 : title.length), // one cell per column
  );
  const line = (cells: readonly string[], row?: Row): string =>
    shown
      .map(({ align, paint }, at) => {
        const text = cells[at]!; // one cell per column
        const padding = " ".repeat(widths[at]! - text.length);
        const painted = row === undefined || paint === undefined ? text : paint(text, row);
        return align === "right" ? padding + painted : painted + padding;
      })
      .join("  ")
      .trimEnd();
  const lines = texts.map((cells, at) => line(cells, rows[at]));
  if (!bare) lines.unshift(line(shown.map(({ title }) => title)));
  return lines.map((text) => `${text}\n`).join("");
}

/** Letters on the screen, colours not counted. */
export function printedWidth(text: string): number {
  return stripVTControlCharacters(text).length;
}
