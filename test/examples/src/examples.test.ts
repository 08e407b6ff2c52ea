import { execFile, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { findConsul } from "@inmesh-test/consul/peer";
import { afterEach, describe, expect, it } from "vitest";
import { INMESH, isAlive, ROOT } from "../../e2e/src/dev-process.js";
import { Example, freePort } from "./example.js";

const consul = findConsul("examples/consul");
let example: Example | undefined;

afterEach(async () => {
  await example?.quit();
  expect((example?.pids ?? []).filter(isAlive)).toEqual([]);
  example = undefined;
});

async function start(name: string, services: number, env: Readonly<Record<string, string>> = {}): Promise<Example> {
  example = new Example(name, await freePort(), env);
  await example.ready(services);
  return example;
}

const leaseFolder = (name: string): string => join(ROOT, "examples", name, "mesh", ".workloads");

/** Pids of a service's processes in an example's registry. */
function leasesOf(name: string, service: string): number[] {
  const names = readdirSync(leaseFolder(name)).map((file) => file.split("."));
  return names.filter((parts) => parts[1] === service).map(([, , instance = ""]) => Number(instance.split("-")[0]));
}

describe("npm start -w examples/…", () => {
  it("express: a rule sends beta testers to v2", async () => {
    const express = await start("express", 3);
    await express.until("/", /^200 /);
    expect(await express.get("/")).toBe("200 the shop shows: reviews v1");
    const beta = { "x-beta": "yes" };
    await express.until("/", /^200 /, beta);
    expect(await express.get("/", beta)).toBe("200 the shop shows: reviews v2");
    expect(await express.quit()).toBe(0);
  });

  it("fastify: a rule ends the waiting for a slow service", async () => {
    const fastify = await start("fastify", 2);
    await fastify.until("/emma", /^200 /);
    expect(await fastify.get("/emma")).toBe("200 12 euros");
    expect(await fastify.get("/slow")).toMatch(/^504 .*timeout 500 ms/s);
    expect(await fastify.quit()).toBe(0);
  });

  it("axios-got: a rule retries for both", async () => {
    const shop = await start("axios-got", 2);
    await shop.until("/", /^200 /);
    for (let n = 0; n < 20; n++) expect(await shop.get("/")).toBe("200 axios: in stock, got: in stock");
    expect(await shop.quit()).toBe(0);
  });

  it("explicit-api: serves, calls by name, is answered by policy, and ends by itself", async () => {
    example = new Example("explicit-api");
    expect(await example.ended).toBe(0);
    expect(example.text).toBe("200 hello, /world\n418 short and stout\n");
  });

  it("istio: without a control plane it is an ordinary server", async () => {
    // Not by npm, which does not pass on the signal that ends it.
    const web = spawn(process.execPath, ["--import", "@inmesh/node/register", "web.js"], {
      cwd: join(ROOT, "examples", "istio"),
      env: { ...process.env, NODE_OPTIONS: "", PORT: "0", INMESH_CONFIG: mkdtempSync(join(tmpdir(), "inmesh-istio-")) },
    });
    const ended = new Promise((resolve) => web.once("close", resolve));
    const port = await new Promise((resolve) => {
      web.stdout.on("data", (text: Buffer) => resolve(/listens on (\d+)/.exec(String(text))?.[1]));
    });
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    expect([answer.status, await answer.text()]).toEqual([503, expect.stringMatching(/^nobody shows reviews: /)]);
    web.kill("SIGTERM");
    await ended;
  });

  it("rate-limit: lets in what policy allows, then what can be served", async () => {
    example = new Example("rate-limit");
    expect(await example.ended, example.text).toBe(0);
    expect(example.text.split("\n").map((line) => line.trim().replaceAll(/(?<=t=|\d )\d+$/g, "N"))).toEqual([
      'ann 200 "default/tickets/by-customer";r=2;t=N',
      'ann 200 "default/tickets/by-customer";r=1;t=N',
      'ann 200 "default/tickets/by-customer";r=0;t=N',
      expect.stringMatching(/^ann 429 "default\/tickets\/by-customer";r=0;t=(19|20) N$/),
      'bob 200 "default/tickets/by-customer";r=2;t=N',
      "report 503 OVERLOADED",
      "buy 200",
      "",
    ]);
  });

  it("nest: a controller calls a service by its name", async () => {
    const nest = await start("nest", 2);
    await nest.until("/emma", /in stock/);
    expect(await nest.get("/emma")).toBe("200 the shop shows: emma: in stock");
    expect(await nest.quit()).toBe(0);
  });

  it("jest-nock: what nock mocks is nock's, and the rest goes through the mesh", async () => {
    example = new Example("jest-nock");
    expect(await example.ended, example.text).toBe(0);
    expect(example.text).toMatch(/Tests: +7 passed, 7 total/);
  });

  it.skipIf(consul === undefined)(
    "consul: three services meet in a Consul of the session, and a canary is one key in it",
    async () => {
      const shop = await start("consul", 4, { INMESH_CONSUL_BIN: consul?.path ?? "" });
      const [url = ""] = /consul:\/\/\S+/.exec(shop.text) ?? [];
      const inmesh = (...args: string[]) => promisify(execFile)(process.execPath, [INMESH, ...args, "--config", url]);
      await shop.until("/", /^200 /);
      for (let n = 0; n < 20; n++) expect(await shop.get("/")).toBe("200 the shop shows: reviews v1, 5 stars");
      await inmesh("apply", "-f", join(ROOT, "examples/consul/canary.yaml"), "--wait", "--reason", "a canary");
      await shop.until("/", /^200 the shop shows: reviews v2, 5 stars$/);
      expect((await inmesh("history", "VirtualService/reviews")).stdout).toContain("a canary");
      await inmesh("rollback", "VirtualService/reviews", "--wait");
      for (let n = 0; n < 20; n++) expect(await shop.get("/")).toBe("200 the shop shows: reviews v1, 5 stars");
      const { host } = new URL(url.replace("consul:", "http:"));
      expect(await shop.quit()).toBe(0);
      await expect(fetch(`http://${host}/v1/status/leader`)).rejects.toThrow("fetch failed");
    },
  );

  it("cluster: calls go on when a worker dies, and its replacement takes part", async () => {
    rmSync(leaseFolder("cluster"), { recursive: true, force: true }); // of a process killed in an earlier run
    const cluster = await start("cluster", 2);
    await cluster.until("/", () => leasesOf("cluster", "reviews").filter(isAlive).length === 2); // only when both listen does the one outlive the other
    const first = await cluster.until("/", /^200 worker \d+$/);
    const pid = Number(first.split(" ")[2]);
    process.kill(pid, "SIGKILL");
    for (let n = 0; n < 50; n++) expect(await cluster.get("/")).toMatch(/^200 worker \d+$/);
    await cluster.until("/", () => !isAlive(pid)); // until its parent has seen it end, there is still a process of that number
    expect(await cluster.quit()).toBe(0);
    expect(leasesOf("cluster", "reviews").filter((each) => each !== pid)).toEqual([]); // both drained, though their primary was gone before
  });
});

it("every example has a README with its command, and a test", () => {
  const folder = dirname(fileURLToPath(import.meta.url));
  const tests = ["examples.test.ts", "compose.test.ts", "telemetry.test.ts"]
    .map((name) => readFileSync(join(folder, name), "utf8"))
    .join();
  const names = readdirSync(join(ROOT, "examples")).filter((name) =>
    existsSync(join(ROOT, "examples", name, "package.json")),
  );
  expect(names.length).toBeGreaterThan(4);
  // The bookshop is what `npm start` plays; test/e2e judges it.
  for (const name of names.filter((each) => each !== "bookshop")) {
    const page = readFileSync(join(ROOT, "examples", name, "README.md"), "utf8");
    expect(page).toContain(`npm start -w examples/${name}`);
    expect(tests).toContain(`"${name}: `);
  }
});
