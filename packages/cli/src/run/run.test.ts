import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { groupLives } from "../dev/process-group.js";
import { runCli, TemporaryFolder } from "../testing/run-cli.js";

const BIN = fileURLToPath(new URL("../../bin/inmesh.js", import.meta.url));
const BUILT = existsSync(fileURLToPath(new URL("../../dist/main.js", import.meta.url)));

const SERVER = `const server = require("node:http").createServer((request, response) => response.end("hi"));
server.listen(0, "127.0.0.1", () => console.log("up", process.pid));
process.on("SIGTERM", () => { console.log("told"); process.exit(7); });
`;
const SAY_ENV = `const { NODE_OPTIONS, INMESH_SERVICE, INMESH_NAMESPACE, INMESH_CONFIG, INMESH_VERSION, PORT } = process.env;
console.log(JSON.stringify({ NODE_OPTIONS, INMESH_SERVICE, INMESH_NAMESPACE, INMESH_CONFIG, INMESH_VERSION, PORT }));
`;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

class Running {
  stdout = "";
  stderr = "";
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  #changed = (): void => {};

  constructor(argv: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}) {
    const { PATH, HOME } = process.env;
    this.child = spawn(process.execPath, [BIN, "run", ...argv], {
      cwd,
      env: { PATH, HOME, INMESH_STATE_DIR: join(cwd, "state"), ...env },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 30_000,
    });
    this.child.stdout?.on("data", (chunk) => this.#add("stdout", chunk));
    this.child.stderr?.on("data", (chunk) => this.#add("stderr", chunk));
    this.ended = new Promise((resolve) =>
      this.child.on("close", (code) => {
        this.#changed();
        resolve({ code, stdout: this.stdout, stderr: this.stderr });
      }),
    );
  }

  #add(stream: "stdout" | "stderr", chunk: Buffer): void {
    this[stream] += chunk;
    this.#changed();
  }

  /** Resolves when a stream has said that, rejects when it ended without. */
  async said(stream: "stdout" | "stderr", pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this[stream]);
      if (found !== null) return found;
      if (this.child.exitCode !== null) throw new Error(`it ended: ${this.stdout}${this.stderr}`);
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }
}

function folderOf(files: Readonly<Record<string, string>>): TemporaryFolder {
  const folder = new TemporaryFolder();
  folder.write("mesh/mesh.yaml", "{}\n");
  for (const [name, text] of Object.entries(files)) folder.write(name, text);
  return folder;
}

describe("inmesh run", () => {
  it.each([
    [[], "there is nothing to run. Name the program: inmesh run -- node server.js"],
    [["--service", "A_b", "--", "node"], '"A_b" is no name for a service'],
    [["--config", "nowhere", "--", "node"], 'there is no registry "nowhere". Make the folder first'],
    [["--", "no-such-program-anywhere"], '"no-such-program-anywhere" could not be started: no such file or folder'],
    [["-q", "-v", "--", "node"], "option '-v, --verbose' cannot be used with option '-q, --quiet'"],
  ])("refuses %j with 2", async (argv, message) => {
    using folder = folderOf({});
    const { code, stderr } = await runCli(["run", ...argv], { cwd: folder.path, env: { PATH: process.env["PATH"] } });
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });

  it("ends with 2 for an inmesh.yaml that cannot be used, naming the line", async () => {
    using folder = folderOf({ "inmesh.yaml": "service: [a\n" });
    const { code, stderr } = await runCli(["run", "--", "node"], { cwd: folder.path });
    expect(code).toBe(2);
    expect(stderr).toMatch(/inmesh\.yaml cannot be used: it is no YAML: .* line 2/);
  });
});

/** Without a build there is no preload for the program; `npm test` builds first. */
describe.runIf(BUILT)("inmesh run, the program", { timeout: 40_000 }, () => {
  const settings = async (
    argv: readonly string[],
    files: Readonly<Record<string, string>> = {},
    env: NodeJS.ProcessEnv = {},
  ): Promise<Record<string, string>> => {
    using folder = folderOf({ "say.js": SAY_ENV, "package.json": '{"name":"@acme/Web_Shop"}', ...files });
    const { code, stdout, stderr } = await new Running(argv, folder.path, env).ended;
    expect([code, stderr.split("\n")[0]]).toEqual([0, expect.stringContaining("joins namespace")]);
    const said = JSON.parse(stdout) as Record<string, string>;
    return { ...said, INMESH_CONFIG: said["INMESH_CONFIG"]?.replace(folder.path, "") ?? "" };
  };

  it("names the service by package.json, and keeps the user's NODE_OPTIONS", async () => {
    const said = await settings(["--", "node", "say.js"], {}, { NODE_OPTIONS: "--no-warnings" });
    expect(said).toEqual({
      NODE_OPTIONS: expect.stringMatching(/^--no-warnings --import file:.*register\.js$/),
      ...{ INMESH_SERVICE: "web-shop", INMESH_NAMESPACE: "default", INMESH_CONFIG: "/mesh" },
    });
  });

  it.each([
    ["its file", [], {}, { INMESH_SERVICE: "filed", INMESH_NAMESPACE: "yard", INMESH_CONFIG: "/other" }],
    ["the environment before its file", [], { INMESH_SERVICE: "env" }, { INMESH_SERVICE: "env" }],
    ["name= before both", [], {}, { INMESH_SERVICE: "a", INMESH_VERSION: "v2", PORT: "0" }],
    ["options before all", ["--service", "opt", "-n", "shop", "--config", "mesh"], { INMESH_NAMESPACE: "env" }, {}],
  ])("takes settings from %s", async (name, options, env, expected) => {
    const word = name.startsWith("name=") ? ["a@v2=PORT=0", "node"] : ["node"];
    const wanted = options.length === 0 ? expected : { INMESH_SERVICE: "opt", INMESH_NAMESPACE: "shop" };
    const files = {
      "inmesh.yaml": "service: filed\nnamespace: yard\nconfig: ./other\n",
      "other/a.yaml": "{}\n",
    };
    expect(await settings([...options, "--", ...word, "say.js"], files, env)).toMatchObject(wanted);
  });

  it("leaves the program its own -- and its own exit code", async () => {
    using folder = folderOf({ "args.js": "console.log(process.argv.slice(2).join(' ')); process.exitCode = 5;" });
    const { code, stdout } = await new Running(["-q", "--", "node", "args.js", "a", "--", "-b"], folder.path).ended;
    expect([code, stdout]).toEqual([5, "a -- -b\n"]);
  });

  it("ends as a shell says that a signal ended the program: 128 and its number", async () => {
    using folder = folderOf({ "die.js": 'process.kill(process.pid, "SIGKILL"); setInterval(() => {}, 1e3);' });
    expect((await new Running(["-q", "--", "node", "die.js"], folder.path).ended).code).toBe(137);
  });

  it("tells what was patched, passes SIGTERM on, and takes the program's code", async () => {
    using folder = folderOf({ "server.js": SERVER, "package.json": '{"name":"shop"}' });
    const running = new Running(["--", "node", "server.js"], folder.path);
    const [line] = await running.said("stderr", /is in the mesh.*\n/);
    expect(line).toMatch(/listens on \d+ as shop\.default; patched fetch, grpc, http, server, undici; .*admin http:/);
    running.child.kill("SIGTERM");
    const { code, stdout } = await running.ended;
    expect([code, stdout]).toEqual([7, expect.stringMatching(/told\n$/)]);
    expect(readdirSync(join(folder.path, "mesh", ".workloads")).filter((name) => name.endsWith(".yaml"))).toEqual([]);
  });

  it("tells of a program in the registry of the home folder, which the program makes", async () => {
    using folder = new TemporaryFolder();
    folder.write("server.js", SERVER);
    const running = new Running(["--", "node", "server.js"], folder.path, {
      HOME: folder.path,
      INMESH_SERVICE: "shop",
    });
    await running.said("stderr", /joins namespace default, registry ~\/\.inmesh\/mesh\n/);
    await running.said("stderr", /shop \(pid \d+\) is in the mesh/);
    running.child.kill("SIGTERM");
    expect((await running.ended).code).toBe(7);
  });

  it("meshes what npm starts, and leaves no process of it behind", async () => {
    const manifest = '{"name":"shop","scripts":{"start":"node server.js && echo never"}}';
    using folder = folderOf({ "server.js": SERVER, "package.json": manifest });
    const running = new Running(["--", "npm", "start"], folder.path);
    const [, pid] = await running.said("stdout", /up (\d+)/);
    await running.said("stderr", new RegExp(`shop \\(pid ${pid}\\) is in the mesh`));
    running.child.kill("SIGTERM");
    expect((await running.ended).stdout).toContain("told");
    expect(() => process.kill(Number(pid), 0)).toThrow();
  });

  it("ends what the program left running", async () => {
    const leave = `const { spawn } = require("node:child_process");
const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1e3)"], { stdio: "ignore" });
console.log("left", child.pid);
process.exit(0);`;
    using folder = folderOf({ "leave.js": leave });
    const running = new Running(["--", "node", "leave.js"], folder.path);
    const { code, stdout, stderr } = await running.ended;
    const [, pid] = /left (\d+)/.exec(stdout) ?? [];
    expect([code, stderr]).toEqual([0, expect.stringContaining("ended what the program had left running")]);
    expect(() => process.kill(Number(pid), 0)).toThrow();
  });

  it("takes the program with it when it is killed itself", async () => {
    using folder = folderOf({ "server.js": SERVER });
    const running = new Running(["--", "node", "server.js"], folder.path);
    const [, pid] = await running.said("stdout", /up (\d+)/);
    running.child.kill("SIGKILL");
    await expect.poll(() => groupLives(Number(pid)), { timeout: 10_000 }).toBe(false);
  });

  it("runs without the mesh where it is switched off, and says so", async () => {
    using folder = folderOf({ "say.js": "console.log('ran')" });
    const { code, stdout, stderr } = await new Running(["--", "node", "say.js"], folder.path, { INMESH_MODE: "off" })
      .ended;
    expect([code, stdout, stderr]).toEqual([0, "ran\n", expect.stringContaining("INMESH_MODE=off")]);
  });

  const script = spawnSync("script", ["--version"], { encoding: "utf8" }).stdout ?? "";
  const terminal = script.includes("util-linux");
  it.skipIf(!terminal)("on a terminal: the program reads keys, and Ctrl-C reaches it once", async () => {
    const keys = `let times = 0;
require("node:http").createServer(() => {}).listen(0, "127.0.0.1");
process.stdin.on("data", (data) => console.log("read", JSON.stringify(String(data))));
process.on("SIGINT", () => { times += 1; setTimeout(() => { console.log("told", times); process.exit(9); }, 300); });
console.log("up");`;
    using folder = folderOf({ "keys.js": keys });
    const { PATH, HOME } = process.env;
    const line = `exec ${process.execPath} ${BIN} run -q -- node keys.js`;
    const child = spawn("script", ["-qec", line, "/dev/null"], {
      cwd: folder.path,
      env: { PATH, HOME, INMESH_STATE_DIR: join(folder.path, "state") },
      timeout: 30_000,
    });
    let shown = "";
    const typed = new Map([
      ["up", "hello\r"],
      ['read "hello', "\u0003"],
    ]);
    child.stdout.on("data", (chunk) => {
      shown += chunk;
      for (const [seen, type] of typed) {
        if (!shown.includes(seen)) continue;
        typed.delete(seen);
        child.stdin.write(type);
      }
    });
    const code = await new Promise((resolve) => child.on("close", resolve));
    expect([code, shown]).toEqual([9, expect.stringContaining("told 1")]);
  });
});
