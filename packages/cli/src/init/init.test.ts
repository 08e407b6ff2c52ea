import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { runCli, TemporaryFolder } from "../testing/run-cli.js";
import { withScript } from "./manifest.js";
import type { Prompter } from "./prompter.js";

const MANIFEST = `{
  "name": "@acme/Web_Shop",
  "files": ["a", "b"],
  "scripts": {
    "start": "node server.js --port 1"
  },
  "dependencies": { "express": "^5.1.0", "axios": "^1.7.0" }
}
`;

function packageOf(files: Readonly<Record<string, string>> = {}): TemporaryFolder {
  const folder = new TemporaryFolder();
  for (const [name, text] of Object.entries({ "package.json": MANIFEST, ...files })) folder.write(name, text);
  return folder;
}

interface Report {
  readonly service: string;
  readonly config: string;
  readonly script: { readonly name: string; readonly command: string } | null;
  readonly detected: readonly { readonly name: string; readonly role: string }[];
  readonly files: readonly { readonly path: string; readonly action: string }[];
  readonly next: readonly string[];
  readonly undo: readonly string[];
}

describe("inmesh init", () => {
  it("writes inmesh.yaml, the registry folder and a script, and says how to undo it", async () => {
    using folder = packageOf();
    const { code, stdout, stderr } = await runCli(["init", "--yes"], { cwd: folder.path });
    expect([code, stderr]).toEqual([0, ""]);
    expect(parse(folder.read("inmesh.yaml"))).toEqual({ service: "web-shop", namespace: "default", config: "./mesh" });
    expect(folder.read("mesh/.gitignore")).toContain(".workloads/");
    const script = '"start:mesh": "node --import @inmesh/node/register server.js --port 1"';
    expect(folder.read("package.json")).toBe(MANIFEST.replace('port 1"', `port 1",\n    ${script}`));
    expect(stdout).toContain("server express ^5.1.0; clients axios ^1.7.0: meshed without a change of code");
    expect(stdout).toContain("npm install @inmesh/node");
    expect(stdout).toMatch(
      /undo {6}rm inmesh\.yaml\n {10}rm -r \.\/mesh\n {10}npm pkg delete "scripts\.start:mesh"\n$/,
    );
  });

  it("takes what it is told", async () => {
    using folder = packageOf({ "pnpm-lock.yaml": "" });
    const argv = ["init", "-y", "--service", "web", "-n", "shop", "--config", "../shared", "--script", "meshed"];
    const { json } = await runCli([...argv, "--dry-run", "-o", "json"], { cwd: folder.path });
    expect(json<Report>()).toMatchObject({
      ...{ service: "web", namespace: "shop", config: "../shared", dryRun: true },
      script: { name: "meshed", command: "node --import @inmesh/node/register server.js --port 1" },
      next: ["pnpm add @inmesh/node", "pnpm add --save-dev inmesh", "pnpm run meshed", "npx inmesh check"],
    });
    expect(existsSync(join(folder.path, "inmesh.yaml"))).toBe(false);
    expect(folder.read("package.json")).toBe(MANIFEST);
  });

  it.each([
    ["express", { express: "^4" }, "", "express server"],
    ["fastify and undici", { fastify: "^5", undici: "^7" }, "", "fastify server, undici client"],
    ["koa and got", { koa: "^2", got: "^14" }, "", "koa server, got client"],
    ["hono", { hono: "^4" }, "", "hono server"],
    ["nest", { "@nestjs/core": "^11" }, "", "@nestjs/core server"],
    ["node:http and fetch", {}, "createServer(async () => fetch('http://a/'))", "http server, fetch client"],
    ["http.get", {}, "http.get('http://a/')", "http client"],
    ["a method that is called fetch", {}, "cache.fetch(1); prefetch(2)", ""],
    ["grpc", { "@grpc/grpc-js": "^1.14" }, "", "@grpc/grpc-js client"],
    ["nothing", {}, "", ""],
  ])("detects %s", async (_, dependencies, source, expected) => {
    using folder = packageOf({ "package.json": JSON.stringify({ name: "a", dependencies }), "src/a.mjs": source });
    const { json } = await runCli(["init", "--dry-run", "--json"], { cwd: folder.path });
    expect(
      json<Report>()
        .detected.map(({ name, role }) => `${name} ${role}`)
        .join(", "),
    ).toBe(expected);
  });

  it.each([
    [{ start: "node ." }, [], "node --import @inmesh/node/register ."],
    [{ start: "next start" }, [], "inmesh run -- npm start"],
    [{ start: "npm run build && node a.js" }, [], "inmesh run -- npm start"],
    [{}, ["src/index.js"], "node --import @inmesh/node/register src/index.js"],
    [{}, [], undefined],
  ])("makes of the scripts %j with files %j the script %s", async (scripts, files, expected) => {
    const named = Object.fromEntries(files.map((file) => [file, ""]));
    using folder = packageOf({ "package.json": JSON.stringify({ name: "a", scripts }), ...named });
    const { json } = await runCli(["init", "--dry-run", "--json"], { cwd: folder.path });
    expect(json<Report>().script?.command).toBe(expected);
  });

  it("finds the registry that services beside it share", async () => {
    using folder = packageOf({ "web/package.json": MANIFEST, "mesh/a.yaml": "" });
    const { json } = await runCli(["init", "--yes", "--json"], { cwd: join(folder.path, "web") });
    expect(json<Report>()).toMatchObject({ config: "../mesh", undo: ["rm inmesh.yaml", expect.any(String)] });
  });

  it.each([
    [{}, [], 2, "nobody can be asked here, since this is no terminal. Add --yes"],
    [{ "package.json": "{ no" }, ["--yes"], 1, "package.json cannot be used: "],
    [{ "package.json": "[]" }, ["--yes"], 1, "package.json cannot be used: it holds no object"],
    [{ "inmesh.yaml": "service: a\n" }, ["--yes"], 1, "initialised already: inmesh.yaml is there"],
    [{}, ["--yes", "--service", "A b"], 2, '"A b" is no name for a service'],
  ])("refuses %j with %j: %i", async (files, argv, expected, message) => {
    using folder = packageOf(files);
    const { code, stdout, stderr } = await runCli(["init", ...argv], { cwd: folder.path });
    expect([code, stdout, stderr]).toEqual([expected, "", expect.stringContaining(message)]);
    expect(existsSync(join(folder.path, "mesh"))).toBe(false);
  });

  it("refuses a folder without package.json", async () => {
    using folder = new TemporaryFolder();
    const { code, stderr } = await runCli(["init", "--yes"], { cwd: folder.path });
    expect([code, stderr]).toEqual([1, expect.stringContaining("there is no package.json in this folder")]);
  });

  it("keeps a script of that name and says so; --force replaces it and says what it was", async () => {
    using folder = packageOf({ "package.json": MANIFEST.replace('"start":', '"start:mesh": "mine",\n    "start":') });
    const kept = await runCli(["init", "--yes"], { cwd: folder.path });
    expect(kept.stdout).toMatch(/kept +package\.json +scripts\.start:mesh is there already and stays: mine/);
    expect(folder.read("package.json")).toContain('"start:mesh": "mine"');
    const forced = await runCli(["init", "--yes", "--force"], { cwd: folder.path });
    expect(forced.stdout).toMatch(/replaced +inmesh\.yaml/);
    expect(forced.stdout).toMatch(/changed +package\.json .*\(it was: mine\)/);
    expect(JSON.parse(folder.read("package.json")).scripts["start:mesh"]).toContain("--import");
  });

  it("is read by the commands that follow", async () => {
    using folder = packageOf();
    await runCli(["init", "--yes", "--config", "./policy"], { cwd: folder.path });
    const { code, stderr } = await runCli(["get"], { cwd: folder.path });
    expect([code, stderr]).toEqual([0, 'No policy in "./policy" matches. See: inmesh apply --help\n']);
  });
});

/** Answers in order; undefined: the person has had enough. */
function answering(...answers: (string | boolean | undefined)[]): Prompter & { readonly asked: string[] } {
  const asked: string[] = [];
  const next = (message: string) => {
    asked.push(message);
    return answers.shift();
  };
  return {
    asked,
    text: async ({ message, initial, check }) => {
      const answer = next(message);
      if (answer === undefined) return undefined;
      const text = answer === "" ? initial : String(answer);
      expect(check(text)).toBeUndefined();
      return text;
    },
    confirm: async (message) => next(message) as boolean | undefined,
  };
}

describe("inmesh init on a terminal", () => {
  it("asks, shows what it will write, and writes it when told to", async () => {
    using folder = packageOf();
    const prompter = answering("web", "", "../mesh", true);
    const { code, stdout } = await runCli(["init"], { cwd: folder.path, isTTY: true, prompter });
    expect([code, prompter.asked.length]).toEqual([0, 4]);
    expect(stdout).toContain("will create");
    expect(parse(folder.read("inmesh.yaml"))).toEqual({ service: "web", namespace: "default", config: "../mesh" });
  });

  it.each([
    ["at the first question", [undefined]],
    ["at the last", ["web", "", "", false]],
  ])("writes nothing when stopped %s", async (_, answers) => {
    using folder = packageOf();
    const prompter = answering(...answers);
    const { code, stderr } = await runCli(["init"], { cwd: folder.path, isTTY: true, prompter });
    expect([code, stderr]).toEqual([130, expect.stringContaining("nothing was written")]);
    expect(existsSync(join(folder.path, "inmesh.yaml"))).toBe(false);
    expect(folder.read("package.json")).toBe(MANIFEST);
  });

  it("asks nothing with --yes", async () => {
    using folder = packageOf();
    const prompter = answering();
    const { code } = await runCli(["init", "--yes"], { cwd: folder.path, isTTY: true, prompter });
    expect([code, prompter.asked]).toEqual([0, []]);
  });
});

describe("withScript", () => {
  it.each([
    ['{"name":"a"}', '{"name":"a",\n  "scripts": {\n    "x": "y"\n  }\n}'],
    ['{\n\t"scripts": {\n\t\t"a": "}"\n\t}\n}', '{\n\t"scripts": {\n\t\t"a": "}",\n\t\t"x": "y"\n\t}\n}'],
    ['{ "scripts": { "a": "b" } }\n', '{ "scripts": { "a": "b", "x": "y" } }\n'],
    ['{\r\n  "scripts": {}\r\n}\r\n', '{\r\n  "scripts": {\r\n    "x": "y"\r\n  }\r\n}\r\n'],
    ['{\n  "b": { "scripts": {} }\n}\n', '{\n  "b": { "scripts": {} },\n  "scripts": {\n    "x": "y"\n  }\n}\n'],
    ['{\n  "scripts": {\n    "x": "old"\n  }\n}\n', '{\n  "scripts": {\n    "x": "y"\n  }\n}\n'],
  ])("puts a script into %j", (before, after) => {
    expect(withScript(before, "x", "y")).toBe(after);
  });
});
