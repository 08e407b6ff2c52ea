import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createMesh, type MeshOptions } from "@inmesh/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type DevAgent, findConsul, startDevAgent } from "../peer/index.js";
import { Program } from "./program.js";

const binary = findConsul("the address and the place that a process registers with a Consul");

interface Instance {
  readonly Address: string;
  readonly Tags: readonly string[];
  readonly Weights: object;
  readonly Meta: Readonly<Record<string, string>>;
}

describe.skipIf(binary === undefined)("what a process registers of itself", () => {
  let agent: DevAgent;
  let config: string;

  const instances = async (service: string): Promise<readonly Instance[]> =>
    ((await agent.must("GET", `/v1/health/service/${service}?passing`)) as { Service: Instance }[]).map(
      ({ Service }) => Service,
    );
  const serving = async (options: MeshOptions, bound: string) => {
    const mesh = await createMesh({ config, propagationDelayMs: 0, log: "error", ...options });
    const server = mesh.attach(createServer((_, response) => response.end("hello")));
    await new Promise<void>((resolve) => server.listen(0, bound, resolve));
    return { mesh, port: (server.address() as AddressInfo).port };
  };
  const events = async (admin: string | undefined): Promise<string> => (await fetch(`${admin}/events`)).text();

  beforeAll(async () => {
    agent = await startDevAgent(binary!); // not skipped: it is there
    config = `consul://127.0.0.1:${agent.port}`;
  });
  afterAll(async () => agent?.[Symbol.asyncDispose]());

  it("bound to every address: what the agent on this machine says of itself, told with its reason", async () => {
    const { mesh } = await serving({ service: "wide", weight: 3, tags: ["blue"] }, "0.0.0.0");
    try {
      await expect
        .poll(() => instances("wide"))
        .toMatchObject([{ Address: "127.0.0.1", Weights: { Passing: 3, Warning: 1 }, Tags: ["blue"] }]);
      expect(await events(mesh.adminUrl)).toContain("others reach this process at 127.0.0.1: the registry's agent");
    } finally {
      await mesh.close();
    }
  });

  it("told an address: that one", async () => {
    const { mesh } = await serving({ service: "told", address: "node-7.internal", locality: "eu/eu-1" }, "127.0.0.1");
    try {
      await expect
        .poll(() => instances("told"))
        .toMatchObject([{ Address: "node-7.internal", Meta: { "inmesh-locality": "eu/eu-1/" } }]);
    } finally {
      await mesh.close();
    }
  });

  it("told to ask a platform that does not answer: it serves, and does not register under an address that is made up", async () => {
    const { mesh, port } = await serving({ service: "nowhere", address: "ecs", locality: "ecs" }, "127.0.0.1");
    try {
      expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe("hello");
      const told = await events(mesh.adminUrl);
      expect(told).toContain("address is ecs, and ECS_CONTAINER_METADATA_URI_V4 is not set");
      expect(told).toContain("locality is ecs, and ECS_CONTAINER_METADATA_URI_V4 is not set");
      expect(await instances("nowhere")).toEqual([]);
    } finally {
      await mesh.close();
    }
  });

  it("--import, told to ask ECS: the task's address and zone, asked past the mesh", async () => {
    const metadata = createServer(({ url }, response) => {
      const answers: Record<string, object> = {
        "/v4/abc": { Networks: [{ NetworkMode: "awsvpc", IPv4Addresses: ["10.0.2.106"] }] },
        "/v4/abc/task": { TaskARN: "arn:aws:ecs:us-west-2:1:task/x", AvailabilityZone: "us-west-2d" },
      };
      response.end(JSON.stringify(answers[url ?? ""] ?? {}));
    });
    await new Promise<void>((resolve) => metadata.listen(0, "127.0.0.1", resolve));
    const uri = `http://127.0.0.1:${(metadata.address() as AddressInfo).port}/v4/abc`;
    try {
      const env = { ECS_CONTAINER_METADATA_URI_V4: uri, INMESH_ADDRESS: "ecs", INMESH_LOCALITY: "ecs" };
      await using program = new Program("bare.mjs", { service: "task", config, env });
      await program.port();
      await expect
        .poll(() => instances("task"), { timeout: 5_000 })
        .toMatchObject([{ Address: "10.0.2.106", Meta: { "inmesh-locality": "us-west-2/us-west-2d/" } }]);
    } finally {
      metadata.close();
    }
  });
});
