/** The words of a CEL expression. */

import { CelFault } from "./fault.js";

export interface Token {
  readonly kind: "name" | "number" | "string" | "sign" | "end";
  /** Of a string its value, without quotes and escapes. */
  readonly text: string;
  /** In characters, from 0. */
  readonly at: number;
}

const SPACE = /(?:\s|\/\/[^\n]*)+/y;
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /(?:0x[0-9a-fA-F]+|(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?)[uU]?/y;
const STRING = /([rR]?)("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')/y;
const RAW = /[rR]("[^"\n]*"|'[^'\n]*')/y;
const SIGN = /&&|\|\||[=!<>]=|[-+*/%!<>?:.,()[\]{}]/y;
const ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  "?": "?",
  '"': '"',
  "'": "'",
  "`": "`",
};
const ESCAPE = /\\(?:([xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})|([0-3][0-7]{2})|(.))/g;

/** @throws {CelFault} */
export function tokenize(source: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    return pattern.exec(source);
  };
  while (at < source.length) {
    const space = take(SPACE);
    if (space !== null) {
      at += space[0].length;
      continue;
    }
    const raw = take(RAW);
    const string = raw ?? take(STRING);
    if (string !== null) {
      const quoted = string[raw === null ? 2 : 1] ?? "";
      const inside = quoted.slice(1, -1);
      tokens.push({ kind: "string", text: raw === null ? unescaped(inside, at) : inside, at });
      at += string[0].length;
      continue;
    }
    const [name, number] = [take(NAME), take(NUMBER)];
    const found = name ?? number ?? take(SIGN);
    if (found === null) throw new CelFault("syntax", `${JSON.stringify(source[at])} is no part of an expression`, at);
    tokens.push({ kind: name !== null ? "name" : number !== null ? "number" : "sign", text: found[0], at });
    at += found[0].length;
  }
  tokens.push({ kind: "end", text: "", at });
  return tokens;
}

function unescaped(text: string, at: number): string {
  return text.replace(ESCAPE, (whole, hex: string | undefined, octal: string | undefined, plain = "") => {
    const code =
      hex === undefined ? (octal === undefined ? -1 : Number.parseInt(octal, 8)) : Number.parseInt(hex.slice(1), 16);
    if (code >= 0 && code <= 0x10ffff) return String.fromCodePoint(code);
    const known = ESCAPES[plain];
    if (known === undefined) throw new CelFault("syntax", `${whole} is no escape`, at);
    return known;
  });
}
