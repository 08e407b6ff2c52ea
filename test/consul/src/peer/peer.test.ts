import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import https from "node:https";
import { describe, expect, it } from "vitest";
import { createAuthority, findConsul, isAtLeast, startDevAgent, startServers } from "./index.js";

const binary = findConsul("the starters of Consul themselves");
const TOKEN = "5c9a1f0e-0000-4000-8000-000000000001";

describe("isAtLeast", () => {
  it.each([
    ["1.8.7", "1.8", true],
    ["1.8.7", "1.9", false],
    ["1.13.9", "1.9", true],
    ["1.13.9", "1.13.9", true],
    ["1.13.9", "2", false],
  ])("%s has what came with %s: %s", (version, wanted, expected) => {
    expect(isAtLeast({ path: "", version }, wanted)).toBe(expected);
  });
});

describe.skipIf(binary === undefined)("a real Consul", () => {
  const consul = binary!; // not skipped: it is there

  it("runs as a dev agent with ACLs and TLS, forgets all when it is restarted, and leaves nothing behind", async () => {
    using authority = createAuthority();
    const tls = authority.issue("consul", ["IP:127.0.0.1"]);
    const agent = await startDevAgent(consul, { managementToken: TOKEN, tls });
    try {
      await agent.must("PUT", "/v1/kv/a", "b");
      expect((await agent.ask("GET", "/v1/kv/a", undefined, { token: "" })).status).toBe(403);
      const ca = readFileSync(tls.ca);
      const request = https.get(`https://127.0.0.1:${agent.httpsPort}/v1/status/leader`, { ca, agent: false });
      const [response] = await once(request, "response");
      expect(response.resume().statusCode).toBe(200);
      await agent.restart();
      expect((await agent.ask("GET", "/v1/kv/a")).status).toBe(404);
    } finally {
      await agent[Symbol.asyncDispose]();
    }
    expect([agent.running, existsSync(agent.folder)]).toEqual([false, false]);
  });

  it("runs as three servers of which another leads when the leader is killed", async () => {
    await using cluster = await startServers(consul, 3);
    const first = await cluster.leader();
    await first.must("PUT", "/v1/kv/a", "b");
    await first.kill();
    await expect
      .poll(async () => (await cluster.leader().catch(() => first)).node, { timeout: 15_000 })
      .not.toBe(first.node);
    await first.restart();
    await expect.poll(async () => (await first.ask("GET", "/v1/kv/a?stale")).status, { timeout: 10_000 }).toBe(200);
  });

  it("ends with the process that started it, whatever ends that one", async () => {
    const program = `import { findConsul, startDevAgent } from ${JSON.stringify(new URL("../../dist/peer/index.js", import.meta.url).href)};
      const agent = await startDevAgent(findConsul("this"));
      console.log(JSON.stringify({ pid: agent.pid, folder: agent.folder }));`;
    const starter = spawn(process.execPath, ["--input-type=module", "-e", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = await once(starter.stdout.setEncoding("utf8"), "data");
    const { pid, folder } = JSON.parse(line) as { pid: number; folder: string };
    starter.kill("SIGKILL");
    await expect.poll(() => isAlive(pid), { timeout: 5_000 }).toBe(false);
    await expect.poll(() => existsSync(folder), { timeout: 5_000 }).toBe(false);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
