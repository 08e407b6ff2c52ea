import * as undici from "undici";
import { expect, it } from "vitest";
import { readHeaders } from "./request-headers.js";

function read(headers: unknown): [string[], string | undefined] {
  const lines: string[] = [];
  const host = readHeaders(headers, lines, undici);
  return [lines, host];
}

it.each<[string, unknown, string[]]>([
  ["undefined", undefined, []],
  ["null", null, []],
  ["an object", { a: "1", b: 2, c: null, d: undefined }, ["a", "1", "b", "2", "c", ""]],
  ["an object with lists", { a: ["1", "2"] }, ["a", "1", "a", "2"]],
  ["a flat array", ["a", "1", "a", "2"], ["a", "1", "a", "2"]],
  ["a flat array with lists", ["a", ["1", "2"], "b", "3"], ["a", "1", "a", "2", "b", "3"]],
  ["pairs", [["a", "1"], ["b", "2"]], ["a", "1", "b", "2"]], // biome-ignore format: a table
  ["a Map", new Map([["a", "1"]]), ["a", "1"]],
  ["Headers", new Headers({ A: "1" }), ["a", "1"]],
  ["Buffers", ["a", Buffer.from("1")], ["a", "1"]],
])("reads headers given as %s", (_, headers, lines) => {
  expect(read(headers)).toEqual([lines, undefined]);
});

it("reads an object's headers also while every object is iterable", () => {
  Object.defineProperty(Object.prototype, Symbol.iterator, { *value() {}, configurable: true });
  try {
    expect(read({ a: "1" })[0]).toEqual(["a", "1"]);
    expect(read(new Map([["a", "1"]]))[0]).toEqual(["a", "1"]);
  } finally {
    Reflect.deleteProperty(Object.prototype, Symbol.iterator);
  }
});

it("takes the host out, in any spelling", () => {
  expect(read({ HOST: "reviews", a: "1" })).toEqual([["a", "1"], "reviews"]);
});

it("leaves the caller's object as it is", () => {
  const headers = Object.freeze({ host: "x", a: Object.freeze(["1", "2"]) });
  expect(() => read(headers)).not.toThrow();
});

it.each<[string, unknown]>([
  ["an odd array", ["a"]],
  ["a string", "a: b"],
  ["a value that is an object", { a: {} }],
  ["pairs of three", [["a", "b", "c"]]],
])("refuses %s as undici does", (_, headers) => {
  expect(() => read(headers)).toThrow(undici.errors.InvalidArgumentError);
});
