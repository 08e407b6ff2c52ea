import { readFileSync } from "node:fs";
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
