import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseProcessSpecs } from "./process-spec.js";

let cwd = "";

beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), "inmesh-spec-"));
  mkdirSync(join(cwd, "web"));
  mkdirSync(join(cwd, "both", "cart"), { recursive: true });
  writeFileSync(join(cwd, "web", "package.json"), '{"name":"@acme/Web_Shop"}');
  writeFileSync(join(cwd, "web", "server.js"), "");
  writeFileSync(join(cwd, "both", "package.json"), '{"name":"both"}');
  writeFileSync(join(cwd, "both", "a.js"), "");
  writeFileSync(join(cwd, "both", "b.js"), "");
  writeFileSync(join(cwd, "both", "cart", "index.js"), "");
});

afterAll(() => rmSync(cwd, { recursive: true, force: true }));

const names = (...args: string[]) => parseProcessSpecs(args, cwd).map(({ service }) => service);

describe("parseProcessSpecs", () => {
  it("separates commands at --, with or without the first", () => {
    const specs = parseProcessSpecs(["--", "a=node", "a.js", "--port", "3", "--", "b=node", "b.js"], cwd);
    expect(specs.map(({ command }) => command)).toEqual([
      ["node", "a.js", "--port", "3"],
      ["node", "b.js"],
    ]);
  });

  it.each([
    ["reviews=node r.js", { service: "reviews", command: ["node", "r.js"], env: {} }],
    ["reviews@v2=node r.js", { service: "reviews", version: "v2", command: ["node", "r.js"], env: {} }],
    ["reviews= PORT=0 node r.js", { service: "reviews", command: ["node", "r.js"], env: { PORT: "0" } }],
    ["reviews=PORT=0 A=b=c node r.js", { service: "reviews", command: ["node", "r.js"], env: { PORT: "0", A: "b=c" } }],
  ])("reads %s", (text, expected) => {
    expect(parseProcessSpecs(text.split(" "), cwd)).toEqual([{ ...expected, cwd }]);
  });

  it("takes the name from the nearest package.json, as a DNS label without its scope", () => {
    expect(names("node", "web/server.js")).toEqual(["web-shop"]);
  });

  it("names different scripts of one package by their files", () => {
    expect(
      names("node", "both/a.js", "--", "node", "--enable-source-maps", "both/b.js", "--", "node", "both/cart/index.js"),
    ).toEqual(["a", "b", "cart"]);
  });

  it("takes the same script twice for two replicas of one service", () => {
    expect(names("node", "both/a.js", "--", "node", "both/a.js")).toEqual(["both", "both"]);
  });

  it("gives replicas after the first any free port, unless told another", () => {
    const specs = parseProcessSpecs("a=node a.js -- a=node a.js -- a=PORT=7 node a.js -- b=node a.js".split(" "), cwd);
    expect(specs.map(({ env }) => env["PORT"])).toEqual([undefined, "0", "7", undefined]);
  });

  it("refuses a name without a command", () => {
    expect(() => names("reviews=")).toThrow('"reviews=" names no command');
  });
});
