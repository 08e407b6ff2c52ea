import { describe, expect, it } from "vitest";
import { HclFault, parseHcl } from "./hcl.js";

/** Without null prototypes. */
const read = (text: string): unknown => JSON.parse(JSON.stringify(parseHcl(text)));

describe("parseHcl", () => {
  it.each<[string, string, unknown]>([
    [
      "attributes",
      'Kind = "a"\nn = -1.5\nb = true\nnone = null\nhex = 0x10',
      { Kind: "a", n: -1.5, b: true, none: null, hex: 16 },
    ],
    ["comments", "# a\n// b\n/* c\nd */ x = 1 # e", { x: 1 }],
    ["lists, with a comma after the last", 'l = [1, ["a"], {b = 2},]', { l: [1, ["a"], { b: 2 }] }],
    ["objects, with = and with :", 'o = { a = 1, "b": 2\n c = 3 }', { o: { a: 1, b: 2, c: 3 } }],
    ["blocks", 'Match { HTTP { PathPrefix = "/" } }', { Match: { HTTP: { PathPrefix: "/" } } }],
    [
      "blocks that stand twice",
      "Splits { Weight = 1 }\nSplits { Weight = 99 }",
      { Splits: [{ Weight: 1 }, { Weight: 99 }] },
    ],
    [
      "labels of blocks",
      'Subsets "v1" { Filter = "a" }\nSubsets "v2" {}',
      { Subsets: { v1: { Filter: "a" }, v2: {} } },
    ],
    ["quoted keys", 'Failover = { "*" = { Datacenters = ["dc2"] } }', { Failover: { "*": { Datacenters: ["dc2"] } } }],
    ["escapes", String.raw`s = "a\"b\\c\nd\u00e9"`, { s: 'a"b\\c\ndé' }],
    [
      "texts of several lines",
      "a = <<EOF\n one\n  two\nEOF\nb = <<-X\n   one\n    two\n   X\n",
      { a: " one\n  two\n", b: "one\n two\n" },
    ],
    ["nothing", "\n", {}],
  ])("reads %s", (_, text, wanted) => {
    expect(read(text)).toEqual(wanted);
  });

  it.each([
    ["a = ", 1, "found the end, expected a value"],
    ["\n\na = [1 2]", 3, 'expected "," or "]"'],
    ['a = "x', 1, "a string does not end"],
    ["a = <<EOF\nx\n", 1, "does not end"],
    ["= 1", 1, "expected a key"],
    ["a = b", 1, "expected a value"],
    ["a {", 1, "expected a key"],
    ["[".repeat(10), 1, "expected a key"],
    [`a = ${"[".repeat(200)}`, 1, "nested more than"],
  ])("says of %j at line %i: %s", (text, line, message) => {
    const fault = (() => {
      try {
        return parseHcl(text);
      } catch (error) {
        return error;
      }
    })();
    expect(fault).toBeInstanceOf(HclFault);
    expect(fault).toMatchObject({ line, message: expect.stringContaining(message) });
  });

  it("keeps __proto__ a key like any other", () => {
    expect(Object.keys(parseHcl("__proto__ = { polluted = true }"))).toEqual(["__proto__"]);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });
});
