import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { createMesh } from "@inmesh/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type DevAgent, findConsul, startDevAgent } from "../peer/index.js";
import { Program } from "./program.js";

const binary = findConsul("@inmesh/node with a Consul as its registry");

describe.skipIf(binary === undefined)("@inmesh/node on Consul", () => {
  let agent: DevAgent;
  let config: string;
  let names = 0;
  /** No two tests meet in the one Consul. */
  const unique = (name: string): string => `${name}-${++names}`;
  const passing = async (
    service: string,
  ): Promise<readonly { Service: { ID: string; Address: string; Port: number } }[]> =>
    (await agent.must("GET", `/v1/health/service/${service}?passing`)) as never;

  beforeAll(async () => {
    agent = await startDevAgent(binary!);
    config = `consul://127.0.0.1:${agent.port}`;
  });
  afterAll(() => agent?.[Symbol.asyncDispose]());

  it("createMesh: registers what listens, finds it by name, and takes it out again", async () => {
    const service = unique("greeter");
    const options = { config, admin: "off", propagationDelayMs: 0 } as const;
    const mesh = await createMesh({ ...options, service, version: "v1" });
    const server = mesh.attach(createServer((request, response) => response.end(`hello ${request.url}`)));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    await expect.poll(() => passing(service)).toHaveLength(1);
    const caller = await createMesh({ ...options, service: unique("caller") });
    const answer = await caller.fetch(`http://${service}/world`);
    expect([answer.status, await answer.text()]).toEqual([200, "hello /world"]);
    expect(caller.status.registry).toMatchObject({ url: config, state: "fresh" });
    await caller.close();
    await mesh.close();
    expect(await agent.must("GET", `/v1/health/service/${service}`)).toEqual([]);
  });

  it("--import: a program and the one it calls, neither of which knows of Consul", async () => {
    const echo = unique("echo");
    await using called = new Program("bare.mjs", { service: echo, config });
    await called.port();
    await expect.poll(() => passing(echo)).toHaveLength(1);
    await using web = new Program("bare.mjs", { service: unique("web"), config });
    const port = await web.port();
    for (const way of ["fetch", "get"]) {
      const answer = await fetch(`http://127.0.0.1:${port}/${way}?u=http://${echo}/echo`);
      expect(await answer.json()).toMatchObject({ status: 200, body: { service: echo, pid: called.pid } });
    }
    called.signal("SIGTERM");
    expect(await called.exited).toEqual({ code: null, signal: "SIGTERM" });
    expect(await agent.must("GET", `/v1/health/service/${echo}`)).toEqual([]);
  });

  it("--import: a script that only calls ends by itself, whatever it waits for from Consul", async () => {
    const echo = unique("echo");
    await using called = new Program("bare.mjs", { service: echo, config });
    await called.port();
    await expect.poll(() => passing(echo)).toHaveLength(1);
    await using script = new Program("script.mjs", { service: unique("script"), config, args: [`http://${echo}/x`] });
    await script.printed(/done/);
    const printedAt = performance.now();
    expect(await script.exited).toEqual({ code: 0, signal: null });
    expect(performance.now() - printedAt).toBeLessThan(3_000); // blocking queries last for minutes
    expect(script.text).toMatch(/^200 \{"path":"\/x"\}\ndone\n$/);
    const callers = JSON.stringify(await agent.must("GET", "/v1/health/service/inmesh-callers"));
    expect(callers).not.toContain(".script-"); // it said that it ended
  });

  it("--import: what calls Consul itself reaches it, before the first snapshot and after it", async () => {
    const leader = `http://127.0.0.1:${agent.port}/v1/status/leader`;
    await using script = new Program("get.mjs", { service: unique("script"), config, args: [leader, leader] });
    expect(await script.exited).toEqual({ code: 0, signal: null });
    expect(script.text.match(/leader 200 - "127\.0\.0\.1:\d+"/g)).toHaveLength(2);
  });

  it("--import: a mock that lets nothing out does not part the process from Consul", async () => {
    const echo = unique("echo");
    await using called = new Program("bare.mjs", { service: echo, config });
    await called.port();
    await expect.poll(() => passing(echo)).toHaveLength(1);
    const script = fileURLToPath(new URL("./nock.mjs", import.meta.url));
    await using test = new Program(script, { service: unique("test"), config, args: [echo] });
    expect(await test.exited, test.text).toEqual({ code: 0, signal: null });
    expect(test.text).toBe('200 of the mock\n200 {"path":"/x"}\n');
  });

  it("workers of cluster register each, with the port they share; worker threads do not, and call all the same", async () => {
    const [pool, threads, echo] = [unique("pool"), unique("threads"), unique("echo")];
    await using cluster = new Program("cluster.mjs", { service: pool, config });
    const port = Number(await cluster.printed(/shared (\d+)/));
    await expect.poll(() => passing(pool)).toHaveLength(3);
    expect((await passing(pool)).map(({ Service }) => Service.Port)).toEqual([port, port, port]);
    await using called = new Program("bare.mjs", { service: echo, config });
    await called.port();
    await expect.poll(() => passing(echo)).toHaveLength(1);
    await using program = new Program("threads.mjs", { service: threads, config });
    const worker = Number(await program.printed(/worker\nport (\d+)/));
    const answer = await fetch(`http://127.0.0.1:${worker}/fetch?u=http://${echo}/echo`);
    expect(await answer.json()).toMatchObject({ main: false, status: 200, body: { service: echo } });
    await expect.poll(() => passing(threads)).toHaveLength(1);
    expect((await passing(threads))[0]?.Service.Port).not.toBe(worker);
  });

  it("drains and closes in bounded time while Consul does not answer", async () => {
    const frozen = await startDevAgent(binary!);
    try {
      const mesh = await createMesh({
        ...{ config: `consul://127.0.0.1:${frozen.port}`, service: "web", admin: "off", log: "error" },
        propagationDelayMs: 50,
      });
      const server = mesh.attach(createServer((_, response) => response.end("hello")));
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      await expect.poll(() => frozen.must("GET", "/v1/health/service/web?passing")).toHaveLength(1);
      await using program = new Program("bare.mjs", {
        ...{ service: "end", config: `consul://127.0.0.1:${frozen.port}` },
        env: { INMESH_PROPAGATION_DELAY_MS: "50", INMESH_DRAIN_TIMEOUT_MS: "2000" },
      });
      await program.port();
      await expect.poll(() => frozen.must("GET", "/v1/health/service/end?passing")).toHaveLength(1);
      frozen.freeze();
      const beganAt = performance.now();
      program.signal("SIGTERM");
      await mesh.drain({ timeoutMs: 2_000 });
      expect(performance.now() - beganAt).toBeLessThan(4_000);
      await mesh.close();
      expect(performance.now() - beganAt).toBeLessThan(8_000);
      expect(await program.exited).toEqual({ code: null, signal: "SIGTERM" });
      expect(performance.now() - beganAt).toBeLessThan(8_000);
    } finally {
      frozen.thaw();
      await frozen[Symbol.asyncDispose]();
    }
  });

  it("refuses at once what names no Consul", async () => {
    await expect(createMesh({ config: "consul://s3cret@host:8500?datacenter=x", service: "x" })).rejects.toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID", message: expect.not.stringContaining("s3cret") }),
    );
  });
});
