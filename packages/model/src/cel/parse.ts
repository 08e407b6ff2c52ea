/**
 * CEL's grammar as a tree, for expressions of people: bounded in length, depth and parts. It takes all of the language but
 * messages and maps, so that what is no CEL can be told from what is not evaluated here.
 */

import { CelFault } from "./fault.js";
import { type Token, tokenize } from "./token.js";

export type CelNode = { readonly at: number } & (
  | { readonly kind: "literal"; readonly value: string | number | boolean | null }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "select"; readonly of: CelNode; readonly name: string }
  | { readonly kind: "index"; readonly of: CelNode; readonly key: CelNode }
  | {
      readonly kind: "call";
      readonly name: string;
      readonly on: CelNode | undefined;
      readonly args: readonly CelNode[];
    }
  | { readonly kind: "list"; readonly items: readonly CelNode[] }
  | { readonly kind: "unary"; readonly sign: "!" | "-"; readonly of: CelNode }
  | { readonly kind: "binary"; readonly sign: string; readonly left: CelNode; readonly right: CelNode }
  | { readonly kind: "choice"; readonly test: CelNode; readonly yes: CelNode; readonly no: CelNode }
);

const LONGEST = 4_096;
const DEEPEST = 48;
const MOST_NODES = 512;

/** The loosest first. */
const LEVELS: readonly ReadonlySet<string>[] = [
  new Set(["||"]),
  new Set(["&&"]),
  new Set(["==", "!=", "<", "<=", ">", ">=", "in"]),
  new Set(["+", "-"]),
  new Set(["*", "/", "%"]),
];
const RESERVED = new Set(
  "as break const continue else for function if import let loop package namespace return var void while in".split(" "),
);

/** @throws {CelFault} */
export function parseCel(source: string): CelNode {
  if (source.length > LONGEST) throw new CelFault("unsupported", `it is longer than ${LONGEST} characters`, 0);
  return new Parser(tokenize(source)).whole();
}

class Parser {
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;
  #nodes = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  whole(): CelNode {
    const node = this.#expression();
    if (this.#token.kind !== "end") this.#unexpected();
    return node;
  }

  get #token(): Token {
    return this.#tokens[this.#next]!; // the last one is the end, and nobody goes past it
  }

  #expression(): CelNode {
    if (++this.#depth > DEEPEST) throw new CelFault("unsupported", "it is nested too deeply", this.#token.at);
    const test = this.#binary(0);
    let node = test;
    if (this.#took("?")) {
      const yes = this.#binary(0);
      this.#expect(":");
      node = this.#made({ kind: "choice", test, yes, no: this.#expression(), at: test.at });
    }
    this.#depth -= 1;
    return node;
  }

  #binary(level: number): CelNode {
    const signs = LEVELS[level];
    if (signs === undefined) return this.#unary();
    let left = this.#binary(level + 1);
    while (signs.has(this.#token.text) && (this.#token.kind === "sign" || this.#token.text === "in")) {
      if (this.#token.kind === "string") break;
      const { text: sign, at } = this.#advance();
      left = this.#made({ kind: "binary", sign, left, right: this.#binary(level + 1), at });
    }
    return left;
  }

  #unary(): CelNode {
    const { kind, text, at } = this.#token;
    if (kind !== "sign" || (text !== "!" && text !== "-")) return this.#member();
    if (++this.#depth > DEEPEST) throw new CelFault("unsupported", "it is nested too deeply", at);
    this.#advance();
    const node = this.#made({ kind: "unary", sign: text, of: this.#unary(), at });
    this.#depth -= 1;
    return node;
  }

  #member(): CelNode {
    let node = this.#primary();
    for (;;) {
      const { at } = this.#token;
      if (this.#took(".")) {
        const { kind, text: name } = this.#token;
        if (kind !== "name") this.#unexpected();
        this.#advance();
        node = this.#took("(")
          ? this.#made({ kind: "call", name, on: node, args: this.#list(")"), at })
          : this.#made({ kind: "select", of: node, name, at: node.at });
      } else if (this.#took("[")) {
        const key = this.#expression();
        this.#expect("]");
        node = this.#made({ kind: "index", of: node, key, at: node.at });
      } else if (this.#token.kind === "sign" && this.#token.text === "{" && isPath(node)) {
        throw new CelFault("unsupported", "messages are not made here", at);
      } else return node;
    }
  }

  #primary(): CelNode {
    const { kind, text, at } = this.#token;
    if (kind === "number") return this.#literal(Number(text.replace(/[uU]$/, "")), at);
    if (kind === "string") return this.#literal(text, at);
    if (kind === "name") {
      if (text === "true" || text === "false") return this.#literal(text === "true", at);
      if (text === "null") return this.#literal(null, at);
      if (RESERVED.has(text)) this.#unexpected();
      this.#advance();
      if (this.#took("(")) return this.#made({ kind: "call", name: text, on: undefined, args: this.#list(")"), at });
      return this.#made({ kind: "name", name: text, at });
    }
    if (this.#took("(")) {
      const inside = this.#expression();
      this.#expect(")");
      return inside;
    }
    if (this.#took("[")) return this.#made({ kind: "list", items: this.#list("]"), at });
    if (text === "{" && kind === "sign") throw new CelFault("unsupported", "maps are not made here", at);
    return this.#unexpected();
  }

  #list(close: string): readonly CelNode[] {
    const items: CelNode[] = [];
    while (!this.#took(close)) {
      if (items.length > 0) {
        this.#expect(",");
        if (close === "]" && this.#took(close)) break;
      }
      items.push(this.#expression());
    }
    return items;
  }

  #literal(value: string | number | boolean | null, at: number): CelNode {
    this.#advance();
    return this.#made({ kind: "literal", value, at });
  }

  #made(node: CelNode): CelNode {
    if (++this.#nodes > MOST_NODES) throw new CelFault("unsupported", "it has too many parts", node.at);
    return node;
  }

  #advance(): Token {
    const token = this.#token;
    if (token.kind !== "end") this.#next += 1;
    return token;
  }

  #took(sign: string): boolean {
    if (this.#token.kind !== "sign" || this.#token.text !== sign) return false;
    this.#advance();
    return true;
  }

  #expect(sign: string): void {
    if (!this.#took(sign)) this.#unexpected(`, where "${sign}" should be`);
  }

  #unexpected(where = ""): never {
    const { kind, text, at } = this.#token;
    const found = kind === "end" ? "it ends" : `${JSON.stringify(text.slice(0, 40))} stands`;
    throw new CelFault("syntax", where === "" ? `${found} where something else should be` : found + where, at);
  }
}

function isPath(node: CelNode): boolean {
  return node.kind === "name" || (node.kind === "select" && isPath(node.of));
}
