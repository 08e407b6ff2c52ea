/**
 * Consul's filters, `Service.Meta.version == v2 and "blue" in Service.Tags`, over instances as /v1/health/service lists them.
 * The language is go-bexpr's as its documentation has it. What is not known is refused when it is read, never guessed.
 */

import { compileRegex, regexFault } from "@inmesh/model/internal";
import { isData } from "./field.js";

/** Whether an instance is meant. Throws nothing. */
export type Filter = (instance: unknown) => boolean;

export interface ParsedFilter {
  readonly matches: Filter;
  /** Where the filter says no more than that parts of the service's meta have values: those. */
  readonly labels: Readonly<Record<string, string>> | undefined;
}

export class FilterFault extends Error {
  override readonly name = "FilterFault";
}

/** What instances have; anything else is a mistake, as for Consul. */
const FIELDS: readonly string[] = [
  ...["Service.ID", "Service.Service", "Service.Kind", "Service.Address", "Service.Port", "Service.Tags"],
  ...["Service.Meta", "Service.TaggedAddresses", "Service.Weights", "Service.EnableTagOverride", "Service.SocketPath"],
  ...["Service.Connect", "Service.Proxy", "Service.Namespace", "Service.Partition", "Service.PeerName"],
  ...["Node.ID", "Node.Node", "Node.Address", "Node.Datacenter", "Node.TaggedAddresses", "Node.Meta"],
  ...["Node.Partition", "Node.PeerName", "Checks"],
];

const MAX_LENGTH = 4_096;
const MAX_DEPTH = 50;

type Token =
  | { readonly kind: "word" | "text"; readonly text: string }
  | { readonly kind: "sign"; readonly text: "(" | ")" | "==" | "!=" };

/** @throws {FilterFault} */
export function parseFilter(text: string): ParsedFilter {
  if (text.length > MAX_LENGTH)
    throw new FilterFault(`the filter has ${text.length} characters, at most ${MAX_LENGTH}`);
  if (text.trim() === "") return { matches: () => true, labels: {} };
  return new Parser(tokens(text)).whole();
}

const TOKEN =
  /\s+|([()]|==|!=)|"((?:[^"\\]|\\.)*)"|`([^`]*)`|((?:[A-Za-z0-9_/.+-]|\["(?:[^"\\]|\\.)*"\]|\[`[^`]*`\])+)/y;

function tokens(text: string): readonly Token[] {
  const list: Token[] = [];
  TOKEN.lastIndex = 0;
  for (let at = 0; at < text.length; at = TOKEN.lastIndex) {
    const found = TOKEN.exec(text);
    if (found === null)
      throw new FilterFault(`the filter is not understood from ${JSON.stringify(text.slice(at, at + 20))} on`);
    const [, sign, quoted, raw, word] = found;
    if (sign !== undefined) list.push({ kind: "sign", text: sign as "(" });
    else if (quoted !== undefined) list.push({ kind: "text", text: unescaped(quoted) });
    else if (raw !== undefined) list.push({ kind: "text", text: raw });
    else if (word !== undefined) list.push({ kind: "word", text: word });
  }
  return list;
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (_, char: string) => ({ n: "\n", t: "\t" })[char] ?? char);
}

/** `or` binds least, then `and`, then `not`. */
class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(list: readonly Token[]) {
    this.#tokens = list;
  }

  whole(): ParsedFilter {
    const filter = this.#either();
    if (this.#at < this.#tokens.length) throw this.#unexpected("and, or, or the end");
    return filter;
  }

  #either(): ParsedFilter {
    let left = this.#both();
    while (this.#takes("or")) {
      const [a, b] = [left.matches, this.#both().matches];
      left = { matches: (instance) => a(instance) || b(instance), labels: undefined };
    }
    return left;
  }

  #both(): ParsedFilter {
    let left = this.#single();
    while (this.#takes("and")) {
      const right = this.#single();
      const [a, b] = [left.matches, right.matches];
      left = { matches: (instance) => a(instance) && b(instance), labels: joined(left.labels, right.labels) };
    }
    return left;
  }

  #single(): ParsedFilter {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw new FilterFault(`the filter is nested more than ${MAX_DEPTH} times`);
    try {
      if (this.#takes("not")) {
        const { matches } = this.#single();
        return { matches: (instance) => !matches(instance), labels: undefined };
      }
      if (!this.#takes("(")) return this.#comparison();
      const inner = this.#either();
      if (!this.#takes(")")) throw this.#unexpected('")"');
      return inner;
    } finally {
      this.#depth -= 1;
    }
  }

  #comparison(): ParsedFilter {
    const first = this.#next("a field or a value");
    if (this.#takes("in")) return this.#made("in", this.#selector(), first.text);
    if (this.#peek("not") && this.#peek("in", 1)) {
      this.#at += 2;
      return this.#made("not in", this.#selector(), first.text);
    }
    const selector = path(first);
    if (this.#takes("==")) return this.#made("==", selector, this.#next("a value").text);
    if (this.#takes("!=")) return this.#made("!=", selector, this.#next("a value").text);
    if (this.#takes("is")) {
      const negated = this.#takes("not");
      if (!this.#takes("empty")) throw this.#unexpected("empty");
      return this.#made(negated ? "is not empty" : "is empty", selector, "");
    }
    const negated = this.#takes("not");
    if (this.#takes("contains")) return this.#made(negated ? "not in" : "in", selector, this.#next("a value").text);
    if (this.#takes("matches")) {
      return this.#made(negated ? "not matches" : "matches", selector, this.#next("an expression").text);
    }
    throw this.#unexpected("==, !=, in, contains, matches or is empty");
  }

  #made(operator: Operator, selector: readonly string[], value: string): ParsedFilter {
    const test = testOf(operator, value);
    const [top, second, key, ...more] = selector;
    const isMeta =
      operator === "==" && top === "Service" && second === "Meta" && key !== undefined && more.length === 0;
    return {
      matches: (instance) => asked(instance, selector, operator, test),
      labels: isMeta && isLabel(key, value) ? { [key]: value } : undefined,
    };
  }

  #selector(): readonly string[] {
    return path(this.#next("a field"));
  }

  #next(expected: string): Token {
    const token = this.#tokens[this.#at];
    if (token === undefined || token.kind === "sign") throw this.#unexpected(expected);
    this.#at += 1;
    return token;
  }

  #peek(text: string, ahead = 0): boolean {
    const token = this.#tokens[this.#at + ahead];
    return token !== undefined && token.kind !== "text" && token.text === text;
  }

  #takes(text: string): boolean {
    const found = this.#peek(text);
    if (found) this.#at += 1;
    return found;
  }

  #unexpected(expected: string): FilterFault {
    const token = this.#tokens[this.#at];
    const found = token === undefined ? "the end of the filter" : JSON.stringify(token.text);
    return new FilterFault(`found ${found}, expected ${expected}`);
  }
}

/** `Service.Meta.version`, `Service.Meta["a.b"]`, `"/Service/Meta/version"`. */
function path({ kind, text }: Token): readonly string[] {
  const parts =
    kind === "text"
      ? text
          .split("/")
          .slice(1)
          .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
      : [...text.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[`([^`]*)`\]|([^.[\]]+)/g)].map(
          ([, quoted, raw, plain]) => plain ?? raw ?? unescaped(quoted ?? ""),
        );
  const known = FIELDS.some((field) => parts.slice(0, field.split(".").length).join(".") === field);
  if (!known) throw new FilterFault(`${JSON.stringify(text)} is no field of an instance`);
  return parts;
}

type Operator = "==" | "!=" | "in" | "not in" | "is empty" | "is not empty" | "matches" | "not matches";

/** Of a map that lacks the key: as Consul answers, `matches` too. */
const OF_NOTHING: Readonly<Record<Operator, boolean>> = {
  ...{ "==": false, in: false, "is not empty": false },
  ...{ "!=": true, "not in": true, "is empty": true, matches: true, "not matches": true },
};

/** Of a list of objects: one is enough, or all must. */
const ONE_IS_ENOUGH: ReadonlySet<Operator> = new Set<Operator>(["==", "in", "is empty", "matches"]);

function asked(value: unknown, [key, ...rest]: readonly string[], operator: Operator, test: Test): boolean {
  if (key === undefined) return test(value);
  if (Array.isArray(value)) {
    const each = (item: unknown): boolean => asked(item, [key, ...rest], operator, test);
    return ONE_IS_ENOUGH.has(operator) ? value.some(each) : value.every(each);
  }
  if (!isData(value) || !Object.hasOwn(value, key)) return OF_NOTHING[operator];
  return asked(value[key], rest, operator, test);
}

type Test = (value: unknown) => boolean;

function testOf(operator: Operator, wanted: string): Test {
  switch (operator) {
    case "==":
      return (value) => equals(value, wanted);
    case "!=":
      return (value) => !equals(value, wanted);
    case "in":
      return (value) => holds(value, wanted);
    case "not in":
      return (value) => !holds(value, wanted);
    case "is empty":
      return isEmpty;
    case "is not empty":
      return (value) => !isEmpty(value);
    case "matches":
    case "not matches": {
      if (regexFault(wanted) !== undefined) throw new FilterFault(`${JSON.stringify(wanted)} is no RE2 expression`);
      const regex = compileRegex(`(?s:.*)(?:${wanted})(?s:.*)`); // found anywhere
      const found = (value: unknown): boolean => typeof value === "string" && regex(value);
      return operator === "matches" ? found : (value) => !found(value);
    }
  }
}

function equals(value: unknown, wanted: string): boolean {
  if (typeof value === "number") return Number(wanted) === value;
  if (typeof value === "boolean") return String(value) === wanted;
  return (value ?? "") === wanted;
}

/** A value of a list, a key of a map, a part of a string. */
function holds(value: unknown, wanted: string): boolean {
  if (Array.isArray(value)) return value.some((item) => equals(item, wanted));
  if (isData(value)) return Object.hasOwn(value, wanted);
  return typeof value === "string" && value.includes(wanted);
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === "") return true;
  return Array.isArray(value) ? value.length === 0 : isData(value) && Object.keys(value).length === 0;
}

function joined(a: ParsedFilter["labels"], b: ParsedFilter["labels"]): ParsedFilter["labels"] {
  if (a === undefined || b === undefined) return undefined;
  const contradict = Object.keys(a).some((key) => Object.hasOwn(b, key) && b[key] !== a[key]);
  return contradict ? undefined : { ...a, ...b };
}

/** What a label may be in Istio, which is less than what Consul's meta may. */
function isLabel(key: string, value: string): boolean {
  const name = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
  return name.test(key) && name.test(value);
}
