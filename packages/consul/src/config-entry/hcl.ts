/**
 * HCL as config entries are written in it: attributes, blocks with and without labels, lists, objects, strings, heredocs. What
 * is computed (`${…}`, functions) is no part of it: Consul takes none either.
 */

/** 1-based. */
export class HclFault extends Error {
  override readonly name = "HclFault";
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

type HclObject = Record<string, unknown>;

const MAX_DEPTH = 100;

/** @throws {HclFault} */
export function parseHcl(text: string): Readonly<HclObject> {
  return new Parser(text).body(undefined);
}

class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Attributes and blocks up to `end`, or to the end of the text. */
  body(end: "}" | undefined): HclObject {
    if (++this.#depth > MAX_DEPTH) throw this.#fault(`it is nested more than ${MAX_DEPTH} times`);
    const made: HclObject = Object.create(null);
    for (;;) {
      this.#skip();
      if (this.#peek() === ",") {
        this.#at += 1;
        continue;
      }
      if (this.#peek() === end || (end === undefined && this.#at >= this.#text.length)) break;
      this.#item(made);
    }
    if (end !== undefined) this.#at += 1;
    this.#depth -= 1;
    return made;
  }

  #item(into: HclObject): void {
    const key = this.#key();
    this.#skip();
    const sign = this.#peek();
    if (sign === "=" || sign === ":") {
      this.#at += 1;
      into[key] = this.#value();
      return;
    }
    const labels: string[] = [];
    for (; this.#peek() !== "{"; this.#skip()) labels.push(this.#key());
    this.#at += 1;
    const block = this.body("}");
    // `Subsets "v1" { … }` is a key of Subsets; a block that stands twice is a list.
    let target = into;
    let name = key;
    for (const label of labels) {
      const known = target[name];
      const inner: HclObject = isObject(known) ? known : Object.create(null);
      target[name] = inner;
      target = inner;
      name = label;
    }
    const before = target[name];
    target[name] = before === undefined ? block : [...(Array.isArray(before) ? before : [before]), block];
  }

  #key(): string {
    this.#skip();
    if (this.#peek() === '"') return this.#string();
    const [word] = /^[A-Za-z_*][A-Za-z0-9_.*-]*/.exec(this.#text.slice(this.#at, this.#at + 200)) ?? [];
    if (word === undefined) throw this.#unexpected("a key");
    this.#at += word.length;
    return word;
  }

  #value(): unknown {
    this.#skip();
    const char = this.#peek();
    if (char === '"') return this.#string();
    if (char === "{") {
      this.#at += 1;
      return this.body("}");
    }
    if (char === "[") return this.#list();
    if (this.#text.startsWith("<<", this.#at)) return this.#heredoc();
    const [word] = /^[-+]?[A-Za-z0-9_.][A-Za-z0-9_.+-]*/.exec(this.#text.slice(this.#at, this.#at + 200)) ?? [];
    const value = word === undefined ? undefined : plainValue(word);
    if (word === undefined || value === undefined) throw this.#unexpected("a value");
    this.#at += word.length;
    return value;
  }

  #list(): unknown[] {
    if (++this.#depth > MAX_DEPTH) throw this.#fault(`it is nested more than ${MAX_DEPTH} times`);
    this.#at += 1;
    const list: unknown[] = [];
    for (;;) {
      this.#skip();
      if (this.#peek() === "]") break;
      list.push(this.#value());
      this.#skip();
      if (this.#peek() === ",") this.#at += 1;
      else if (this.#peek() !== "]") throw this.#unexpected('"," or "]"');
    }
    this.#at += 1;
    this.#depth -= 1;
    return list;
  }

  #string(): string {
    const found = /"((?:[^"\\\n]|\\.)*)"/y;
    found.lastIndex = this.#at;
    const [whole, inner] = found.exec(this.#text) ?? [];
    if (whole === undefined || inner === undefined) throw this.#fault("a string does not end");
    this.#at += whole.length;
    return inner.replace(/\\(u[0-9A-Fa-f]{4}|.)/g, (_, code: string) => {
      if (code.length === 5) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
      return { n: "\n", t: "\t", r: "\r" }[code] ?? code;
    });
  }

  #heredoc(): string {
    const [opening = "", dash = "", marker = ""] =
      /^<<(-?)([A-Za-z0-9_]+)[ \t]*\r?\n/.exec(this.#text.slice(this.#at)) ?? [];
    if (marker === "") throw this.#unexpected("a value");
    const lines: string[] = [];
    for (let at = this.#at + opening.length; ; ) {
      const end = this.#text.indexOf("\n", at);
      const line = this.#text.slice(at, end < 0 ? undefined : end);
      if (line.trim() === marker) {
        this.#at = at + line.length;
        const indent = Math.min(...lines.filter((each) => each.trim() !== "").map((each) => each.search(/\S/)));
        const shown = dash === "" ? lines : lines.map((each) => each.slice(Number.isFinite(indent) ? indent : 0));
        return shown.map((each) => `${each}\n`).join("");
      }
      if (end < 0) throw this.#fault(`the text that ${opening.trim()} begins does not end`);
      lines.push(line);
      at = end + 1;
    }
  }

  /** Blanks and comments. */
  #skip(): void {
    const blank = /(?:\s+|#[^\n]*|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y;
    blank.lastIndex = this.#at;
    this.#at += blank.exec(this.#text)?.[0].length ?? 0;
  }

  #peek(): string | undefined {
    return this.#text[this.#at];
  }

  #unexpected(expected: string): HclFault {
    const found = this.#at >= this.#text.length ? "the end" : JSON.stringify(this.#text.slice(this.#at, this.#at + 20));
    return this.#fault(`found ${found}, expected ${expected}`);
  }

  #fault(message: string): HclFault {
    return new HclFault(this.#text.slice(0, this.#at).split("\n").length, message);
  }
}

function plainValue(word: string): unknown {
  if (word === "true" || word === "false") return word === "true";
  if (word === "null") return null;
  return /^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/.test(word) || /^0x[0-9a-fA-F]+$/.test(word)
    ? Number(word)
    : undefined;
}

function isObject(value: unknown): value is HclObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
