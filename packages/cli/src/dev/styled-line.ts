/** Lines of the screen as data: text with styles, cut to the width before any escape code is in it. */

import type { Paint, Style } from "../output/paint.js";

export interface Span {
  readonly text: string;
  readonly style?: Style;
}

export type Line = readonly Span[];

export function line(...parts: readonly (string | readonly [Style, string])[]): Line {
  return parts.map((part) => (typeof part === "string" ? { text: part } : { text: part[1], style: part[0] }));
}

/** Cut at `width` columns, with a mark where something is missing. */
export function renderLine(spans: Line, width: number, paint: Paint): string {
  let left = width;
  let text = "";
  const length = spans.reduce((sum, span) => sum + [...span.text].length, 0);
  const cut = length > width;
  for (const span of spans) {
    if (left <= 0) break;
    const characters = [...span.text];
    const shown =
      characters.length < left || (!cut && characters.length === left)
        ? span.text
        : `${characters.slice(0, left - 1).join("")}${cut ? "~" : characters.at(-1)}`;
    left -= [...shown].length;
    text += span.style === undefined ? shown : paint(span.style, shown);
  }
  return text;
}

/** Breaks at blanks; a word longer than the width is broken where it must be. */
export function wrapText(text: string, width: number): string[] {
  const lines: string[] = [];
  let current = "";
  for (const word of text.split(/\s+/)) {
    let rest = word;
    if (current !== "" && current.length + 1 + rest.length > width) {
      lines.push(current);
      current = "";
    }
    while (rest.length > width) {
      lines.push(rest.slice(0, width));
      rest = rest.slice(width);
    }
    current = current === "" ? rest : `${current} ${rest}`;
  }
  if (current !== "") lines.push(current);
  return lines;
}
