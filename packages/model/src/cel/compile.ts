/**
 * Expressions as closures: nothing is parsed and nothing is looked up by a made-up name when one is evaluated. Undefined is
 * CEL's error: what is not there, or has another type. `&&` and `||` get over it where the other side decides.
 */

import { RE2JS } from "re2js";
import { parseDurationMs } from "../kind/duration.js";
import { nearestName } from "../validate/nearest-name.js";
import { CEL_ALIASES, CEL_ATTRIBUTES, CEL_MAPS } from "./attribute.js";
import type { CelAttributes, CelExpression, CelValue } from "./expression.js";
import { CelFault } from "./fault.js";
import { type CelNode, parseCel } from "./parse.js";

type Evaluate = (attributes: CelAttributes) => CelValue;

const ATTRIBUTES: readonly string[] = CEL_ATTRIBUTES;
const MAPS: readonly string[] = CEL_MAPS;

/** Functions with one argument, and methods without any. */
const CONVERSIONS: Readonly<Record<string, (value: CelValue) => CelValue>> = {
  size: (value) => (typeof value === "string" ? [...value].length : Array.isArray(value) ? value.length : undefined),
  string: (value) => (typeof value === "object" || value === undefined ? undefined : String(value)),
  int: (value) => whole(typeof value === "string" && /^-?\d{1,16}$/.test(value) ? Number(value) : value),
  double: (value) => finite(typeof value === "string" && value.trim() !== "" ? Number(value) : value),
};
const TEXT_TESTS: Readonly<Record<string, (text: string, part: string) => boolean>> = {
  contains: (text, part) => text.includes(part),
  startsWith: (text, part) => text.startsWith(part),
  endsWith: (text, part) => text.endsWith(part),
};
const KNOWN = "has, size, string, int, double, duration, contains, startsWith, endsWith, matches";

/** @throws {CelFault} */
export function compileCel(source: string): CelExpression {
  return { source, evaluate: compileNode(parseCel(source)) };
}

/** One that is not evaluated, so it has no value. */
export function valuelessCel(source: string): CelExpression {
  return { source, evaluate: () => undefined };
}

/** Why it is not taken; undefined where it is. */
export function celFault(source: string): CelFault | undefined {
  try {
    compileCel(source);
    return undefined;
  } catch (error) {
    if (error instanceof CelFault) return error;
    throw error;
  }
}

function compileNode(node: CelNode): Evaluate {
  switch (node.kind) {
    case "literal": {
      const { value } = node;
      return () => value;
    }
    case "name":
    case "select":
    case "index":
      return compilePath(node);
    case "list": {
      const items = node.items.map(compileNode);
      return (attributes) => {
        const values = items.map((item) => item(attributes));
        return values.includes(undefined) ? undefined : values;
      };
    }
    case "unary": {
      const of = compileNode(node.of);
      if (node.sign === "!") {
        return (attributes) => {
          const value = of(attributes);
          return typeof value === "boolean" ? !value : undefined;
        };
      }
      return (attributes) => {
        const value = of(attributes);
        return typeof value === "number" ? -value : undefined;
      };
    }
    case "choice": {
      const [test, yes, no] = [compileNode(node.test), compileNode(node.yes), compileNode(node.no)];
      return (attributes) => {
        const value = test(attributes);
        return typeof value === "boolean" ? (value ? yes : no)(attributes) : undefined;
      };
    }
    case "binary":
      return node.sign === "in" ? compileIn(node.left, node.right) : compileBinary(node);
    case "call":
      return compileCall(node);
  }
}

function compileBinary({ sign, left: leftNode, right: rightNode, at }: CelNode & { kind: "binary" }): Evaluate {
  const left = compileNode(leftNode);
  const right = compileNode(rightNode);
  if (sign === "&&" || sign === "||") {
    const decides = sign === "||";
    return (attributes) => {
      const a = left(attributes);
      if (a === decides) return decides;
      const b = right(attributes);
      if (b === decides) return decides;
      return a === !decides && b === !decides ? !decides : undefined;
    };
  }
  const operation = OPERATIONS[sign];
  if (operation === undefined) throw unsupported(`"${sign}" is not evaluated here`, at);
  return (attributes) => {
    const a = left(attributes);
    if (a === undefined) return undefined;
    const b = right(attributes);
    return b === undefined ? undefined : operation(a, b);
  };
}

type Present = Exclude<CelValue, undefined>;

const OPERATIONS: Readonly<Record<string, (a: Present, b: Present) => CelValue>> = {
  "==": same,
  "!=": (a, b) => !same(a, b),
  "<": (a, b) => ordered(a, b, (order) => order < 0),
  "<=": (a, b) => ordered(a, b, (order) => order <= 0),
  ">": (a, b) => ordered(a, b, (order) => order > 0),
  ">=": (a, b) => ordered(a, b, (order) => order >= 0),
  "+": (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a + b;
    return typeof a === "string" && typeof b === "string" ? a + b : undefined;
  },
  "-": (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : undefined),
  "*": (a, b) => (typeof a === "number" && typeof b === "number" ? a * b : undefined),
};

function same(a: CelValue, b: CelValue): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return a === b;
  return a.length === b.length && a.every((item, index) => same(item, b[index]));
}

function ordered(a: Present, b: Present, test: (order: number) => boolean): boolean | undefined {
  if (typeof a === "number" && typeof b === "number") return test(a - b);
  if (typeof a === "string" && typeof b === "string") return test(a < b ? -1 : a > b ? 1 : 0);
  return undefined;
}

function compileIn(itemNode: CelNode, inside: CelNode): Evaluate {
  const item = compileNode(itemNode);
  const path = pathOf(inside);
  if (path !== undefined && MAPS.includes(path)) {
    return (attributes) => {
      const key = item(attributes);
      return typeof key === "string" ? attributes.entry(path, key.toLowerCase()) !== undefined : undefined;
    };
  }
  if (inside.kind !== "list") throw unsupported('behind "in" stands a list, or headers', inside.at);
  const list = compileNode(inside);
  return (attributes) => {
    const value = item(attributes);
    const values = list(attributes);
    if (value === undefined || !Array.isArray(values)) return undefined;
    return values.some((each) => same(value, each));
  };
}

function compileCall({ name, on, args, at }: CelNode & { kind: "call" }): Evaluate {
  const [first, ...more] = on === undefined ? args : [on, ...args];
  if (name === "has" && on === undefined) {
    if (first === undefined || more.length > 0) throw unsupported("has() takes one field", at);
    if (first.kind !== "select") throw unsupported("has() takes a field, such as request.useragent", at);
    const value = compilePath(first);
    return (attributes) => value(attributes) !== undefined;
  }
  if (name === "duration" && on === undefined) {
    const text = first?.kind === "literal" && more.length === 0 ? first.value : undefined;
    const ms = typeof text === "string" ? parseDurationMs(text) : undefined;
    if (ms === undefined) throw unsupported('duration() takes one such as "250ms"', at);
    return () => ms;
  }
  const convert = Object.hasOwn(CONVERSIONS, name) ? CONVERSIONS[name] : undefined;
  if (convert !== undefined && (on === undefined || name === "size")) {
    if (first === undefined || more.length > 0) throw unsupported(`${name}() takes one value`, at);
    const value = compileNode(first);
    return (attributes) => convert(value(attributes));
  }
  const [second, third] = more;
  if (first !== undefined && second !== undefined && third === undefined) {
    if (name === "matches") return compileMatches(first, second, at);
    const test = on !== undefined && Object.hasOwn(TEXT_TESTS, name) ? TEXT_TESTS[name] : undefined;
    if (test !== undefined) {
      const [text, part] = [compileNode(first), compileNode(second)];
      return (attributes) => {
        const a = text(attributes);
        const b = part(attributes);
        return typeof a === "string" && typeof b === "string" ? test(a, b) : undefined;
      };
    }
  }
  throw unsupported(`${name}() with ${args.length} argument(s) is not evaluated here; there are ${KNOWN}`, at);
}

/** RE2, as CEL has it, anywhere in the text: never a JavaScript RegExp. */
function compileMatches(textNode: CelNode, pattern: CelNode, at: number): Evaluate {
  if (pattern.kind !== "literal" || typeof pattern.value !== "string")
    throw unsupported("matches() takes a pattern that is written out", at);
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(pattern.value);
  } catch {
    throw unsupported(`${JSON.stringify(pattern.value.slice(0, 60))} is no expression of RE2`, pattern.at);
  }
  const text = compileNode(textNode);
  return (attributes) => {
    const value = text(attributes);
    return typeof value === "string" ? compiled.matcher(value).find() : undefined;
  };
}

function compilePath(node: CelNode): Evaluate {
  if (node.kind === "index") {
    const path = pathOf(node.of);
    if (path === undefined || !MAPS.includes(path)) throw unsupported("only headers have keys here", node.at);
    if (node.key.kind !== "literal" || typeof node.key.value !== "string")
      throw unsupported("the name of a header is written out here", node.key.at);
    const key = node.key.value.toLowerCase();
    return (attributes) => attributes.entry(path, key);
  }
  const written = pathOf(node) ?? "";
  const path = Object.hasOwn(CEL_ALIASES, written) ? (CEL_ALIASES[written] ?? written) : written;
  if (ATTRIBUTES.includes(path)) return (attributes) => attributes.attribute(path);
  const map = node.kind === "select" ? pathOf(node.of) : undefined;
  if (node.kind === "select" && map !== undefined && MAPS.includes(map)) {
    const key = node.name.toLowerCase();
    return (attributes) => attributes.entry(map, key);
  }
  if (MAPS.includes(path)) throw unsupported(`${path} is asked for one header: ${path}['x-user']`, node.at);
  const near = nearestName(path, ATTRIBUTES);
  const hint = near === undefined ? "" : `; did you mean ${near}?`;
  throw unsupported(
    `${written === "" ? "a field of a value" : written} is no attribute that is known here${hint}`,
    node.at,
  );
}

/** `request.headers`; undefined for what is no plain path. */
function pathOf(node: CelNode): string | undefined {
  if (node.kind === "name") return node.name;
  if (node.kind !== "select") return undefined;
  const of = pathOf(node.of);
  return of === undefined ? undefined : `${of}.${node.name}`;
}

function whole(value: CelValue): CelValue {
  return typeof value === "number" && Number.isFinite(value) ? Math.trunc(value) : undefined;
}

function finite(value: CelValue): CelValue {
  return typeof value === "number" && !Number.isNaN(value) ? value : undefined;
}

function unsupported(message: string, at: number): CelFault {
  return new CelFault("unsupported", message, at);
}
