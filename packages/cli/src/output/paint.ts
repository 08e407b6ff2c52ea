/** Colour, and what may be printed at all. Colour is never the only sign of anything. */

import { styleText } from "node:util";
import type { Io, Output } from "../io.js";

export type Style = Parameters<typeof styleText>[0];

export type Paint = (style: Style, text: string) => string;

/** FORCE_COLOR beats NO_COLOR beats TERM=dumb beats whether a person is reading. */
export function createPaint(output: Output, env: Io["env"]): Paint {
  const { FORCE_COLOR: force, NO_COLOR: no, TERM: term } = env;
  const coloured =
    force !== undefined && force !== ""
      ? force !== "0" && force !== "false"
      : !no && term !== "dumb" && output.isTTY === true;
  return coloured ? (style, text) => styleText(style, text, { validateStream: false }) : (_, text) => text;
}

/** Whether the terminal shows more than ASCII. */
export function isUnicode(env: Io["env"]): boolean {
  return /utf-?8/i.test(env["LC_ALL"] || env["LC_CTYPE"] || env["LANG"] || "") && env["TERM"] !== "dumb";
}

/**
 * Text from policy, leases and processes, safe for a terminal: control characters, with which a file could move the
 * cursor or rename the window, are shown as escapes.
 */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, (character) => {
    const short = ESCAPES[character];
    return short ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

const ESCAPES: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };
