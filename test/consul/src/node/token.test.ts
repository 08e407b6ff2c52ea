import { execFile } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { findConsul, freePorts, startDevAgent } from "../peer/index.js";
import { Program } from "./program.js";

const binary = findConsul("that a token of Consul is shown nowhere");
const INMESH = fileURLToPath(new URL("../../../../packages/cli/bin/inmesh.js", import.meta.url));
const TOKEN = "5ec2e70e-0000-4000-8000-00000000beef";

/** What a command prints on both streams, whatever it ends with. */
function inmesh(...args: string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(process.execPath, [INMESH, ...args], { timeout: 20_000 }, (_, out, errors) => resolve(`${out}${errors}`));
  });
}

/** Names and contents of all files. */
function everything(folder: string): string {
  const paths = readdirSync(folder, { recursive: true }).map(String);
  const files = paths.filter((path) => statSync(join(folder, path)).isFile());
  return [...paths, ...files.map((path) => readFileSync(join(folder, path), "latin1"))].join("\n");
}

/** A line or file with the token in it, where there is one. */
function leak(text: string): string | undefined {
  const at = text.indexOf(TOKEN.slice(0, 8));
  return at < 0 ? undefined : text.slice(Math.max(0, at - 200), at + 200);
}

describe.skipIf(binary === undefined)("a token in consul://token@host", () => {
  it("is in nothing that a process prints, answers, registers or keeps, nor in what the command prints", async () => {
    await using agent = await startDevAgent(binary!, { managementToken: TOKEN });
    const config = `consul://${TOKEN}@127.0.0.1:${agent.port}`;
    const env = { INMESH_LOG: "debug" };
    await using web = new Program("bare.mjs", { service: "web", config, env });
    const port = await web.port();
    await web.printed(/lease says [\d.]+ http:\d+/);
    await fetch(`http://127.0.0.1:${port}/fetch?u=http://nobody/x`);
    const services = (await agent.must("GET", "/v1/agent/services")) as Record<
      string,
      { Meta: Record<string, string> }
    >;
    expect(JSON.stringify(services)).toContain('"Service":"web"');
    const admin = Object.values(services)[0]?.Meta["inmesh-admin"];
    const { paths } = (await (await fetch(`${admin}/`)).json()) as { readonly paths: readonly string[] };
    expect(paths).toContain("/events");
    const pages = await Promise.all(paths.map(async (path) => (await fetch(`${admin}${path}`)).text()));
    expect(pages.join()).toContain(`consul://127.0.0.1:${agent.port}`);
    const names = ["status", "check", "get all", "analyze", "history VirtualService/x"];
    const commands = await Promise.all(names.map((name) => inmesh(...name.split(" "), "--config", config)));
    expect(commands.join()).toContain(`consul://127.0.0.1:${agent.port}`);
    const kept = JSON.stringify(await agent.must("GET", "/v1/agent/self")).replaceAll(/"[^"]*Token[^"]*":"[^"]*"/g, "");
    web.signal("SIGTERM");
    await web.exited;
    for (const text of [web.text, everything(web.folder), JSON.stringify(services), kept, ...pages, ...commands]) {
      expect(leak(text)).toBeUndefined();
    }
  });

  it.each([
    ["nobody listens", async () => `consul://${TOKEN}@127.0.0.1:${(await freePorts(1))[0]}`],
    ["no such name", async () => `consul://${TOKEN}@consul.invalid:8500`],
    ["tokn is no parameter", async () => `consul://${TOKEN}@127.0.0.1:8500?tokn=${TOKEN}`],
    ["a user beside it", async () => `consul://me:${TOKEN}@127.0.0.1:8500`],
    ["another registry", async () => `etcd://${TOKEN}@127.0.0.1:2379?token=${TOKEN}`],
  ])("is in no error: %s", async (what, url) => {
    const config = await url();
    const env = { INMESH_LOG: "debug", INMESH_CONFIG_WAIT_MS: "300" };
    await using script = new Program("script.mjs", { service: "web", config, env, args: ["http://nobody.test/x"] });
    await script.exited;
    const status = /tokn|nobody/.test(what) ? await inmesh("status", "--config", config, "-v", "--timeout", "1s") : "";
    const texts = [script.text, everything(script.folder), status];
    for (const text of texts) expect(leak(text)).toBeUndefined();
    expect(script.text).not.toBe("");
  });
});
