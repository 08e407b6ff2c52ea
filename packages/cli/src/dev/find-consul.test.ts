import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CliError } from "../exit.js";
import { findConsul } from "./find-consul.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "inmesh-find-consul-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function program(path: string, text = "#!/bin/sh\n"): string {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  chmodSync(file, 0o755);
  return file;
}

const find = (env: Record<string, string>, said: string[] = []) =>
  findConsul({ PATH: "", HOME: folder, ...env }, (line) => said.push(line), folder);

describe.skipIf(process.platform === "win32")("findConsul", () => {
  it("takes INMESH_CONSUL_BIN, then the PATH, then the newest of the tools folder", () => {
    program(".cache/inmesh-tools/consul-1.9.0/consul");
    const newest = program(".cache/inmesh-tools/consul-1.13.9/consul");
    expect(find({})).toBe(newest);
    const onPath = program("bin/consul");
    expect(find({ PATH: `/nowhere:${dirname(onPath)}` })).toBe(onPath);
    const named = program("named/consul");
    expect(find({ PATH: dirname(onPath), INMESH_CONSUL_BIN: named })).toBe(named);
  });

  it("asks the installer beside this repository, and says so, and no installer beside anything else", () => {
    const made = program("made/consul");
    program("shared/tools/install-consul", `#!/bin/sh\necho ${made}\n`);
    const said: string[] = [];
    const env = { INMESH_SHARED: join(folder, "shared"), PATH: process.env["PATH"] ?? "", INMESH_TOOLS_DIR: folder };
    expect(() => find({ ...env, PATH: "" }, said)).toThrow(CliError);
    writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "inmesh-monorepo" }));
    expect(find({ ...env, PATH: "/bin" }, said)).toBe(made);
    expect(said).toEqual(["installing Consul, which takes some seconds"]);
  });

  it("says what to do where there is none, and for a name that is no program", () => {
    expect(() => find({})).toThrow(
      expect.objectContaining({
        message: expect.stringContaining("no consul on the PATH"),
        advice: expect.stringContaining("INMESH_CONSUL_BIN="),
      }),
    );
    expect(() => find({ INMESH_CONSUL_BIN: "/nowhere/consul" })).toThrow(/"\/nowhere\/consul" is no program/);
  });
});
