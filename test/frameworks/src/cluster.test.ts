import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { until } from "../../../packages/node/test/until.js";
import { AppProcess } from "./app-process.js";
import { finishLoad } from "./load.js";
import { Registry } from "./registry.js";

describe.each(["none", "SIGTERM", "SIGINT"])(
  "two workers of a cluster, replaced with disconnect() and signal %s",
  (signal) => {
    it("fail no request of a caller in the mesh nor of one outside it", async () => {
      using registry = new Registry();
      await using primary = new AppProcess({ registry, service: "pool", program: ["cluster.mjs"] });
      const port = await primary.port();
      await until(() => registry.leases("pool").length === 2);
      const old = registry.leases("pool").map(({ pid }) => pid);
      const program = (url: string) => ["load.mjs", "150", url] as const;
      await using meshed = new AppProcess({ registry, service: "caller", program: program("http://pool/slow?ms=20") });
      await using outside = new AppProcess({
        ...{ registry, service: "outside", meshed: false },
        program: program(`http://127.0.0.1:${port}/slow?ms=20`),
      });
      await Promise.all([meshed.printed(/ready/), outside.printed(/ready/)]);
      primary.child.stdin?.write(`reload ${signal}\n`);
      await primary.printed(/reloaded/);
      await until(() => registry.leases("pool").length === 2);
      const now = registry.leases("pool").map(({ pid }) => pid);
      const [inside] = await finishLoad(meshed);
      const [others] = await finishLoad(outside);
      expect([inside?.failures, others?.failures, primary.errors]).toEqual([[], [], ""]);
      expect(now.filter((pid) => old.includes(pid))).toEqual([]);
      for (const result of [inside, others]) {
        // Connections are what the primary spreads: one worker may have got all of a caller's.
        expect(result?.served.filter(([pid]) => now.includes(pid))).not.toEqual([]);
        expect(Math.min(result?.sent.GET ?? 0, result?.sent.POST ?? 0)).toBeGreaterThan(50);
      }
      const ends = signal === "none" ? "0 null" : `null ${signal}`;
      expect(primary.out.match(/left .*/g)?.sort()).toEqual(old.map((pid) => `left ${pid} ${ends}`).sort());
    });
  },
);

describe("a worker that ends by SIGTERM while its primary stands still", () => {
  it("waits until the primary hands it no more: what is handed to a process that has ended is never answered", async () => {
    using registry = new Registry();
    await using primary = new AppProcess({ registry, service: "pool", program: ["cluster.mjs"] });
    const port = await primary.port();
    await until(() => registry.leases("pool").length === 2);
    const [old = 0] = registry.leases("pool").map(({ pid }) => pid);
    process.kill(old, "SIGTERM");
    await until(() => registry.leases("pool").length === 1); // it goes on accepting for a moment
    primary.child.kill("SIGSTOP");
    const within = AbortSignal.timeout(20_000);
    const ask = async () => (await fetch(`http://127.0.0.1:${port}/slow?ms=5`, { signal: within })).status;
    const answers = Array.from({ length: 40 }, () => ask().catch(String));
    const stoppedAt = performance.now();
    // Long enough for all else that it waits for.
    await until(() => !isThere(old) || performance.now() > stoppedAt + 1_500);
    primary.child.kill("SIGCONT");
    expect(new Set(await Promise.all(answers))).toEqual(new Set([200]));
    await until(() => !isThere(old));
  });
});

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const INMESH = fileURLToPath(new URL("../../../packages/cli/bin/inmesh.js", import.meta.url));

describe("the command line on two workers behind one port", () => {
  it("shows one service with one endpoint of two workloads, and both processes", async () => {
    using registry = new Registry();
    await using primary = new AppProcess({ registry, service: "pool", program: ["cluster.mjs"] });
    const port = await primary.port();
    await until(() => registry.leases("pool").length === 2);
    const inmesh = async (...args: readonly string[]) => {
      const all = [INMESH, ...args, "--config", registry.folder, "-o", "json"];
      return JSON.parse((await promisify(execFile)(process.execPath, all)).stdout);
    };
    const { endpoints } = await inmesh("endpoints", "pool");
    expect(endpoints.map(({ id, workloads }: { id: string; workloads: unknown[] }) => [id, workloads.length])).toEqual([
      [`127.0.0.1:${port}`, 2],
    ]);
    const { services } = await inmesh("services");
    expect(services).toEqual([expect.objectContaining({ name: "pool", endpoints: 1 })]);
    const pids = registry.leases("pool").map(({ pid }) => pid);
    expect(JSON.stringify(await inmesh("status"))).toMatch(
      new RegExp(`"pid":${pids[0]}.*"pid":${pids[1]}|"pid":${pids[1]}.*"pid":${pids[0]}`),
    );
  });
});
