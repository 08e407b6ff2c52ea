import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { SCHEMA_VERSION } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { COMMANDS } from "./commands.js";
import { BAD_TIMEOUT, REVIEWS } from "./testing/policy.js";
import { FakeProcess, runCli, TemporaryFolder } from "./testing/run-cli.js";

const SHOWN = COMMANDS.filter(({ hidden }) => hidden !== true).map(({ create }) => ({
  name: create({} as never).name(),
}));

describe("the command line", () => {
  it("shows every command in its help, with a line that says what it does", async () => {
    const { code, stdout, stderr } = await runCli(["--help"]);
    expect([code, stderr]).toEqual([0, ""]);
    for (const { name } of SHOWN) {
      expect(stdout).toMatch(new RegExp(`^ {2}${name}\\b.* {2}\\w`, "m"));
    }
  });

  it.each(SHOWN)("$name --help tells its options and ends with 0", async ({ name }) => {
    const { code, stdout } = await runCli([name, "--help"]);
    expect(code).toBe(0);
    expect(stdout).toContain(`Usage: inmesh ${name}`);
    expect(stdout).toMatch(/^ {2}-h, --help /m);
  });

  it.each([
    [["aply"], "unknown command 'aply'\n(Did you mean apply?)\nTry: inmesh --help\n"],
    [
      ["status", "--nmespace", "x"],
      "unknown option '--nmespace'\n(Did you mean --namespace?)\nTry: inmesh status --help\n",
    ],
    [["status", "-o", "xml"], "Allowed choices are table, wide, json, yaml, name."],
    [["status", "--timeout", "soon"], 'Write a duration such as "2s" or "500ms"'],
    [["status", "extra"], "too many arguments"],
    [["apply"], "required option '-f, --file <file>' not specified"],
    [["validate"], "missing required argument 'files'"],
    [["delete"], "nothing to delete was named. Write KIND/NAME, or -f FILE."],
    [["status", "--config", "etcd://s3cret@x:2379"], 'the registry "etcd://x:2379" is no folder, no Consul and no xDS'],
    [["status", "--config", "xds://s3cret@x:15010"], "xds://x:15010: whoever asks is known by token=FILE"],
    [["status", "--config", "consul://s3cret@x:8500?nonsense=1"], "has a parameter that is not known, nonsense"],
    [["status", "--config", "consul://x?token=s3cret"], "a token goes before the host"],
    [["apply", "-f", "-", "--reason", " "], "--reason is empty. Say it in a sentence, or leave it out."],
    [["validate", "/nowhere.yaml"], '"/nowhere.yaml" cannot be read: no such file or folder. Check the path'],
  ])("%j is wrong usage: 2, with what to do", async (argv, message) => {
    const { code, stdout, stderr } = await runCli(argv);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^inmesh: /);
    expect(stderr).toContain(message);
    expect(stderr).not.toMatch(/\n\s+at |s3cret/);
  });

  it("prints versions as JSON, YAML and text", async () => {
    const own = { inmesh: "0.1.0", schemaVersion: SCHEMA_VERSION, node: process.versions.node };
    using folder = new TemporaryFolder();
    const cwd = folder.path;
    expect((await runCli(["version", "--json"], { cwd })).json()).toEqual(own);
    folder.write("mesh/mesh.yaml", "{}\n");
    expect((await runCli(["version", "--json"], { cwd })).json()).toEqual({ ...own, dataPlanes: [] });
    await using _ = await FakeProcess.start(`${cwd}/mesh`, {});
    await using __ = await FakeProcess.start(`${cwd}/mesh`, { instance: "web-2" });
    await using ___ = await FakeProcess.start(`${cwd}/mesh`, { instance: "web-3", inmeshVersion: "0.0.9" });
    const [, most, least] = (await runCli(["version"], { cwd })).stdout.split("\n");
    expect(most).toBe(`2 processes run inmesh 0.1.0 (policy schema ${SCHEMA_VERSION})`);
    expect(least).toBe(`1 process runs inmesh 0.0.9 (policy schema ${SCHEMA_VERSION})`);
    expect((await runCli(["version", "--json", "--client"], { cwd })).json()).toEqual(own);
    expect((await runCli(["version", "-o", "yaml"])).stdout).toContain(`schemaVersion: ${SCHEMA_VERSION}\n`);
    expect((await runCli(["--version"])).stdout).toBe("inmesh 0.1.0\n");
  });

  it("colours for a terminal only, and never against NO_COLOR or --no-color", async () => {
    const argv = ["validate", "-"];
    const coloured = async (extra: string[], options: object): Promise<boolean> => {
      const { stdout } = await runCli([...argv, ...extra], { stdin: BAD_TIMEOUT, ...options });
      return stdout.includes("\u001b[31m");
    };
    expect(await coloured([], { isTTY: true })).toBe(true);
    expect(await coloured([], {})).toBe(false);
    expect(await coloured([], { isTTY: true, env: { NO_COLOR: "1" } })).toBe(false);
    expect(await coloured(["--no-color"], { isTTY: true })).toBe(false);
    expect(await coloured([], { isTTY: true, env: { TERM: "dumb" } })).toBe(false);
    expect(await coloured([], { env: { FORCE_COLOR: "1" } })).toBe(true);
  });

  it("is quiet when told so", async () => {
    expect((await runCli(["validate", "-", "-q"], { stdin: REVIEWS })).stderr).toBe("");
  });

  it("ends with 130 when interrupted", async () => {
    using folder = new TemporaryFolder();
    folder.write("mesh/mesh.yaml", "{}\n");
    const interrupt = new AbortController();
    const running = runCli(["stat", "--interval", "1h"], { cwd: folder.path, signal: interrupt.signal });
    setTimeout(() => interrupt.abort(new Error("interrupted")), 100);
    expect((await running).code).toBe(130);
  });
});

const BIN = fileURLToPath(new URL("../bin/inmesh.js", import.meta.url));
const BUILT = existsSync(fileURLToPath(new URL("../dist/main.js", import.meta.url)));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(argv: readonly string[], { cwd, stdin = "" }: { cwd?: string; stdin?: string } = {}): Promise<Ended> {
  const child = spawn(process.execPath, [BIN, ...argv], { cwd, timeout: 30_000 });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => (stdout += chunk));
  child.stderr.on("data", (chunk) => (stderr += chunk));
  child.stdin.end(stdin);
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, stdout, stderr })));
}

/** Without a build there is nothing to start; `npm test` builds first. */
describe.runIf(BUILT)("the program", { timeout: 30_000 }, () => {
  it("reads standard input, writes JSON and ends by itself", async () => {
    const { code, stdout, stderr } = await start(["validate", "-", "-o", "json"], { stdin: BAD_TIMEOUT });
    expect([code, stderr]).toEqual([1, ""]);
    expect(JSON.parse(stdout).problems).toHaveLength(1);
  });

  it("passes thousands of answers through a pipe without losing one", async () => {
    using folder = new TemporaryFolder();
    folder.write("mesh/reviews.yaml", REVIEWS);
    const stdin = '{"url":"http://reviews.shop/a"}\n'.repeat(3_000);
    const { code, stdout } = await start(["explain", "--requests", "-"], { cwd: folder.path, stdin });
    expect([code, stdout.trimEnd().split("\n").length]).toEqual([0, 3_000]);
  });

  it("ends with 130 at Ctrl-C, at once", async () => {
    using folder = new TemporaryFolder();
    folder.write("mesh/mesh.yaml", "{}\n");
    const stats = { atMs: 1, service: "web", namespace: "shop", outbound: [], inbound: {}, unrouted: 0 };
    await using process_ = await FakeProcess.start(`${folder.path}/mesh`, {}, { "/stats": stats });
    const child = spawn(process.execPath, [BIN, "stat", "--interval", "1h"], { cwd: folder.path, timeout: 30_000 });
    while (process_.asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 20)); // now it measures
    child.kill("SIGINT");
    expect(await new Promise((resolve) => child.on("close", resolve))).toBe(130);
  });

  it("ends quietly when its reader has had enough", async () => {
    using folder = new TemporaryFolder();
    folder.write("mesh/reviews.yaml", REVIEWS);
    folder.write("requests.jsonl", '{"url":"http://reviews.shop/a"}\n'.repeat(5_000));
    const argv = [BIN, "explain", "--requests", "requests.jsonl"];
    const child = spawn(process.execPath, argv, { cwd: folder.path, timeout: 30_000 });
    let stderr = "";
    child.stderr.on("data", (chunk) => (stderr += chunk));
    child.stdout.once("data", () => child.stdout.destroy());
    const code = await new Promise((resolve) => child.on("close", resolve));
    expect([code, stderr]).toEqual([0, ""]);
  });

  it("says in one line that a folder is missing, without a stack", async () => {
    const { code, stdout, stderr } = await start(["services", "--config", "/nowhere"]);
    expect([code, stdout, stderr.split("\n").length]).toEqual([3, "", 2]);
  });
});
