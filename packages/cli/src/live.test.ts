import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { TapEvent } from "@inmesh/core/admin";
import { describe, expect, it } from "vitest";
import { REVIEWS } from "./testing/policy.js";
import { runCli, TemporaryFolder } from "./testing/run-cli.js";

/** As a user's program loads it; built by `npm test` before tests run. */
const REGISTER = fileURLToPath(new URL("../../node/dist/register.js", import.meta.url));

const REVIEWS_SERVER = `import { createServer } from "node:http";
createServer((request, response) => {
  response.statusCode = request.url.startsWith("/bad") ? 503 : 200;
  response.end("ok");
}).listen(0, "127.0.0.1");
`;
const WEB = `import { createServer } from "node:http";
createServer(() => {}).listen(0, "127.0.0.1");
setInterval(() => fetch("http://reviews/api").then((answer) => answer.text(), () => {}), 20);
`;

function start(cwd: string, file: string, service: string, version: string): ChildProcess {
  return spawn(process.execPath, ["--import", pathToFileURL(REGISTER).href, file], {
    cwd,
    stdio: "ignore",
    timeout: 60_000,
    env: {
      ...{ PATH: process.env["PATH"], INMESH_CONFIG: "mesh", INMESH_NAMESPACE: "shop" },
      ...{ INMESH_SERVICE: service, INMESH_VERSION: version, INMESH_STATE_DIR: join(cwd, "state") },
    },
  });
}

const SLO = `apiVersion: openslo/v1
kind: SLO
metadata: { name: answered }
spec:
  service: reviews
  indicator:
    metadata: { name: answered }
    spec:
      ratioMetric:
        counter: true
        bad: { metricSource: { type: inmesh, spec: { destination: reviews.shop.svc.cluster.local, codes: "5.." } } }
        total: { metricSource: { type: inmesh, spec: { destination: reviews.shop.svc.cluster.local } } }
  objectives: [{ displayName: answered, target: 0.9 }]
---
apiVersion: openslo/v1
kind: SLO
metadata: { name: fast }
spec:
  service: reviews
  indicator:
    metadata: { name: fast }
    spec: { thresholdMetric: { metricSource: { type: inmesh, spec: { destination: reviews.shop.svc.cluster.local } } } }
  objectives: [{ displayName: a minute, target: 0.99, op: lte, value: 60000 }]
`;

interface Objective {
  readonly slo: string;
  readonly events: { readonly total: number; readonly bad: number };
  readonly good: number;
  readonly budget: number;
  readonly burn: number;
  readonly burnNow: number | null;
}

interface Status {
  readonly dataPlanes: readonly { readonly service: string; readonly state: string }[];
}

describe.runIf(existsSync(REGISTER))("with real processes", () => {
  it("sees them, measures them, and waits until they run a change", async () => {
    using folder = new TemporaryFolder();
    const cwd = folder.path;
    const [, rule = "", canary = ""] = REVIEWS.split("---\n");
    folder.write("mesh/policy.yaml", `${rule}---\n${canary}`);
    folder.write("reviews.mjs", REVIEWS_SERVER);
    folder.write("web.mjs", WEB);
    const children = [
      start(cwd, "reviews.mjs", "reviews", "v1"),
      start(cwd, "reviews.mjs", "reviews", "v2"),
      start(cwd, "web.mjs", "web", "v1"),
    ];
    try {
      const states = async () =>
        (await runCli(["status", "-o", "json"], { cwd }))
          .json<Status>()
          .dataPlanes.map(({ service, state }) => `${service} ${state}`);
      await expect.poll(states, { timeout: 20_000 }).toEqual(["reviews synced", "reviews synced", "web synced"]);

      const changed = canary.replace("weight: 90", "weight: 40").replace("weight: 10", "weight: 60");
      const applied = await runCli(["apply", "-f", "-", "--wait", "-o", "json"], { cwd, stdin: changed });
      expect(applied.code).toBe(0);
      const { processes } = applied.json<{ processes: { state: string; revision: string }[] }>();
      expect(processes.map(({ state }) => state)).toEqual(["synced", "synced", "synced"]);
      expect(new Set(processes.map(({ revision }) => revision)).size).toBe(1);

      const stat = await runCli(["edges", "--interval", "500ms", "-o", "json"], { cwd });
      const { edges } = stat.json<{ edges: { source: string; rps: number; successRatio: number }[] }>();
      expect(edges).toMatchObject([
        { source: "shop/web", destination: "reviews.shop.svc.cluster.local", successRatio: 1 },
      ]);
      expect(edges[0]?.rps).toBeGreaterThan(5);

      const listed = await runCli(["endpoints", "reviews", "-o", "json"], { cwd });
      expect(listed.json<{ endpoints: { subsets: string[]; attempts: number }[] }>().endpoints).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ subsets: ["v1"], attempts: expect.any(Number) }),
          expect.objectContaining({ subsets: ["v2"] }),
        ]),
      );
      // Made and served: both ends tell of the same call.
      const tapped = await runCli(["tap", "--max", "12", "--timeout", "20s", "-o", "json"], { cwd });
      const events = tapped.stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as TapEvent);
      expect(events).toHaveLength(12);
      for (const { path, method, status, durationMs, direction, attempts } of events) {
        expect({ path, method, status }).toEqual({ path: "/api", method: "GET", status: 200 });
        expect([durationMs > 0, attempts.length]).toEqual([true, direction === "outbound" ? 1 : 0]);
      }
      expect(new Set(events.map(({ direction }) => direction))).toEqual(new Set(["inbound", "outbound"]));
      const top = await runCli(["top", "--to", "reviews", "--interval", "300ms", "-o", "json"], { cwd });
      expect(top.json<{ rows: unknown[] }>().rows).toMatchObject([
        { source: "shop/web", destination: "reviews.shop.svc.cluster.local", path: "/api", failures: 0 },
      ]);
      const pc = await runCli(["pc", "endpoints", "web", "--fqdn", "reviews.shop.svc.cluster.local"], { cwd });
      expect(pc.stdout).toMatch(/^127\.0\.0\.1:\d+ +HEALTHY +OK +outbound\|80\|v1\|reviews/m);

      // Two processes, of which each knows its own part.
      folder.write("slo.yaml", SLO);
      const ports = [...pc.stdout.matchAll(/^(127\.0\.0\.1:\d+) /gm)].map(([, address = ""]) => address);
      const addresses = [...new Set(ports)];
      expect(addresses).toHaveLength(2);
      const failing = async (times: number): Promise<void> => {
        for (let index = 0; index < times; index++)
          for (const address of addresses) await (await fetch(`http://${address}/bad`)).text();
      };
      const slo = async (): Promise<Objective[]> => {
        const { code, stdout, stderr } = await runCli(["slo", "slo.yaml", "--interval", "300ms", "-o", "json"], {
          cwd,
        });
        expect(code, stderr).toBe(0);
        return (JSON.parse(stdout) as { objectives: Objective[] }).objectives;
      };
      await failing(10);
      const [answered, fast] = await slo();
      if (answered === undefined || fast === undefined) throw new Error("an objective is missing");
      expect([answered.slo, answered.events.bad, answered.burnNow]).toEqual(["answered", 20, 0]);
      expect(answered.good).toBeCloseTo(1 - 20 / answered.events.total, 9);
      expect(answered.burn).toBeCloseTo(20 / answered.events.total / 0.1, 9);
      expect(answered.budget).toBeCloseTo(1 - answered.burn, 9);
      expect([fast.slo, fast.events.bad, fast.burn, fast.budget]).toEqual(["fast", 0, 0, 1]);
      expect(fast.events.total).toBeGreaterThan(answered.events.bad);
      const [burning] = await Promise.all([slo(), failing(50)]);
      expect(burning[0]?.burnNow).toBeGreaterThan(answered.burn);
      const check = await runCli(["check"], { cwd });
      expect(check.stdout).toContain("ok 3 of 3 registered processes answer");
    } finally {
      for (const child of children) child.kill("SIGKILL");
    }
  }, 60_000);
});
