import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { expect, it } from "vitest";
import { leases, newFolder, start } from "./child.js";
import { until } from "./until.js";

interface Line {
  readonly direction: string;
  readonly path: string;
  readonly response_code: number;
  readonly service: string;
  readonly duration_us: number;
}

function lines(text: string): Line[] {
  return text
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));
}

it("has a line for each call and each request, and none of it is lost when a process ends", async () => {
  const folder = newFolder();
  const file = join(folder, "calls.log");
  const server = start("bare.mjs", { folder, service: "shelf", env: { INMESH_ACCESS_LOG: "json" } });
  await server.port();
  await until(() => leases(folder).size === 1);
  const url = "http://shelf/echo?token=s3cret";
  // Over within a second: what it says is written while it exits.
  const caller = start("get.mjs", {
    ...{ folder, service: "desk", args: [url, url] },
    env: { INMESH_ACCESS_LOG: `text,file=${file}` },
  });
  expect(await caller.exited).toMatchObject({ code: 0 });
  const called = readFileSync(file, "utf8").trim().split("\n");
  expect(called).toHaveLength(2);
  expect(called[0]).toMatch(/^\[\S+Z\] "GET \/echo .*" 200 - via_upstream .* outbound\|80\|\|shelf\.default\./);

  server.process.kill("SIGTERM");
  await server.exited;
  const served = lines(server.out());
  expect(served).toHaveLength(2);
  expect(served[0]).toMatchObject({
    direction: "inbound",
    path: "/echo",
    response_code: 200,
    service: "shelf.default",
  });
  expect(`${called}${server.out()}`).not.toContain("s3cret");
});

it("costs no request where nothing can be written", async () => {
  const folder = newFolder();
  const server = start("bare.mjs", {
    folder,
    service: "shelf",
    env: { INMESH_ACCESS_LOG: "json,file=/no/such/place" },
  });
  const port = await server.port();
  for (let count = 0; count < 20; count++) expect((await fetch(`http://127.0.0.1:${port}/echo`)).status).toBe(200);
  await until(() => server.errors().includes("access log /no/such/place"));
  expect(server.errors().match(/access log/g)).toHaveLength(1);
  expect((await fetch(`http://127.0.0.1:${port}/echo`)).status).toBe(200);
});

it("goes on when whoever read its output is gone", async () => {
  const folder = newFolder();
  const server = start("bare.mjs", { folder, service: "shelf", env: { INMESH_ACCESS_LOG: "json" } });
  const port = await server.port();
  server.process.stdout?.destroy();
  const ask = async (): Promise<number> => (await fetch(`http://127.0.0.1:${port}/echo`)).status;
  await until(async () => {
    expect(await ask()).toBe(200);
    return /access log stdout: .*not written there any more/.test(server.errors());
  });
  expect(await ask()).toBe(200);
});

const POLICY = `apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: { name: logs, namespace: default }
spec: { accessLogging: [{ providers: [{ name: envoy }] }] }
`;

it.skipIf(!existsSync("/dev/full"))(
  "no request waits for a full disk, a reader that has stopped or a collector that is not there, and what is lost is counted and said",
  async () => {
    const folder = newFolder();
    writeFileSync(join(folder, "policy.yaml"), POLICY);
    const server = start("bare.mjs", {
      ...{ folder, service: "shelf" },
      env: {
        INMESH_ACCESS_LOG: "json,file=/dev/full", // each write of it fails with ENOSPC; the policy's goes to stdout
        INMESH_ADMIN: "127.0.0.1:0",
        OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1",
        OTEL_TRACES_SAMPLER: "always_on",
        OTEL_BSP_SCHEDULE_DELAY: "50",
      },
    });
    const port = await server.port();
    const lease = [...leases(folder).values()].join() || (await until(() => [...leases(folder).values()][0]));
    const admin = /admin: "?(http:[^"\s]+)/.exec(lease)?.[1] ?? "";
    server.process.stdout?.pause();
    const headers = { "user-agent": "a".repeat(2_000), "x-forwarded-for": "b".repeat(2_000) };
    const ask = (): Promise<number> =>
      new Promise((resolve, reject) => {
        const asked = request({ port, host: "127.0.0.1", path: "/echo", headers }, (response) => {
          response.resume().on("end", () => resolve(response.statusCode ?? 0));
        });
        asked.on("error", reject).end();
      });
    // 3 MB of lines for each place, of which 1 MiB may wait.
    const statuses = new Set<number>();
    for (let sent = 0; sent < 600; sent += 20)
      for (const status of await Promise.all(Array.from({ length: 20 }, ask))) statuses.add(status);
    expect(statuses).toEqual(new Set([200]));
    const places = await until(async () => {
      const view = (await (await fetch(`${admin}/logging`, { headers: { accept: "application/json" } })).json()) as {
        accessLog: { to: string; dropped: number }[];
      };
      return view.accessLog.every(({ dropped }) => dropped > 100) ? view.accessLog : undefined;
    });
    expect(places.map(({ to }) => to).sort()).toEqual(["/dev/full", "stdout"]);
    expect(server.errors()).toMatch(/access log \/dev\/full: .*ENOSPC.*requests go on/);
    server.process.stdout?.resume(); // what waits is read now
    await until(() => /access log stdout: \d+ lines were dropped/.test(server.errors()));
    expect(await ask()).toBe(200);
  },
);
