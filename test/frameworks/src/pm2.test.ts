import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { until } from "../../../packages/node/test/until.js";
import { AppProcess, FIXTURES } from "./app-process.js";
import { finishLoad } from "./load.js";
import { Pm2 } from "./pm2.js";
import { Registry } from "./registry.js";

const registry = new Registry();
const pm2 = new Pm2(registry);
const env = { INMESH_CONFIG: registry.folder };
let port = 0;

beforeAll(async () => {
  port = await freePort();
  // Of PM2's usual 1,600 ms a busy machine takes most before a process has left, and of its 3 s before the next one listens.
  const app = { script: "shared.mjs", env, kill_timeout: 4_000, listen_timeout: 15_000 };
  await pm2.start(FIXTURES, [
    {
      ...app,
      name: "shared",
      exec_mode: "cluster",
      instances: 2,
      env: { ...env, INMESH_SERVICE: "shared", PORT: `${port}` },
    },
    { ...app, name: "one", exec_mode: "fork", env: { ...env, INMESH_SERVICE: "forked" } },
    { ...app, name: "two", exec_mode: "fork", env: { ...env, INMESH_SERVICE: "forked" } },
    {
      ...app,
      name: "off",
      exec_mode: "cluster",
      instances: 1,
      env: { ...env, INMESH_SERVICE: "off", INMESH_MODE: "off" },
    },
  ]);
  await until(() => registry.leases("shared").length === 2 && registry.leases("forked").length === 2);
});
afterAll(async () => {
  await pm2[Symbol.asyncDispose]();
  registry[Symbol.dispose]();
});

const pids = (service: string) => registry.leases(service).map(({ pid }) => pid);

async function load(service: string, url: string, meshed = true): Promise<AppProcess> {
  const caller = new AppProcess({ registry, service, meshed, program: ["load.mjs", "150", url] });
  await caller.printed(/ready/);
  return caller;
}

describe("PM2", () => {
  it("in cluster mode gives an application its own variables, though it sets them after the preload", () => {
    expect(registry.leases("shared").map(({ ports }) => ports)).toEqual([{ http: port }, { http: port }]);
    expect(new Set(registry.leases().map(({ service }) => service))).toEqual(new Set(["shared", "forked"]));
  });

  it("reloads workers in cluster mode without a failed request, of a caller in the mesh or outside it", async () => {
    const old = pids("shared");
    await using meshed = await load("caller", "http://shared/slow?ms=20");
    await using outside = await load("outside", `http://127.0.0.1:${port}/slow?ms=20`, false);
    await pm2.run("reload", "shared");
    await until(() => pids("shared").length === 2 && !pids("shared").some((pid) => old.includes(pid)));
    await until(async () => (await inbound("shared")).some(({ requests }) => requests > 50));
    const [[inside], [others]] = [await finishLoad(meshed), await finishLoad(outside)];
    expect([inside?.failures, others?.failures]).toEqual([[], []]);
    for (const { sent, served } of [inside!, others!]) {
      expect(Math.min(sent.GET, sent.POST)).toBeGreaterThan(50);
      // Connections are what PM2 spreads: one worker may have got all of a caller's.
      expect(served.filter(([pid]) => pids("shared").includes(pid))).not.toEqual([]);
    }
  }, 120_000);

  it("reloads two processes in fork mode, one after the other, without a failed request", async () => {
    await using meshed = await load("caller", "http://forked/slow?ms=20");
    for (const name of ["one", "two"]) {
      const old = pids("forked");
      await pm2.run("reload", name);
      await until(() => pids("forked").length === 2 && pids("forked").some((pid) => !old.includes(pid)));
    }
    await until(async () => (await inbound("forked")).every(({ requests }) => requests > 10));
    const [result] = await finishLoad(meshed);
    expect(result?.failures).toEqual([]);
    expect(result?.served.map(([pid]) => pid)).toEqual(expect.arrayContaining(pids("forked")));
  });

  it("cuts what takes longer than kill_timeout, itself, before SIGKILL", async () => {
    const hanging = fetch(`http://127.0.0.1:${port}/slow?ms=60000`).then(
      () => "answered",
      () => "cut",
    );
    await until(async () => (await inbound("shared")).some(({ inFlight }) => inFlight === 1));
    const before = pm2.logs.length;
    await pm2.run("stop", "shared");
    expect([await hanging, pids("shared")]).toEqual(["cut", []]);
    expect(pm2.logs.slice(before)).not.toContain("SIGKILL");
  });
});

async function inbound(service: string): Promise<readonly { readonly requests: number; readonly inFlight: number }[]> {
  const each = registry.leases(service).map(async ({ admin }) => (await fetch(`${admin}/stats`)).json());
  return (await Promise.all(each)).map((stats) => stats.inbound);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const found = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof found === "object" && found !== null ? found.port : 0;
}
