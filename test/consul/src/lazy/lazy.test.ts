import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMesh, type Mesh } from "@inmesh/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { equals, eventually } from "../eventually.js";
import { type DevAgent, findConsul, Relay, startDevAgent } from "../peer/index.js";

const binary = findConsul("that only services in use are watched");

const KNOWN = 1_000;
const HEALTH = "/v1/health/service/";
const RULES = "/v1/kv/inmesh/services/default/";

describe.skipIf(binary === undefined)("a mesh that knows a thousand services of a Consul", () => {
  let agent: DevAgent;
  let relay: Relay;
  let server: Server;
  let stateDir: string;
  const meshes: Mesh[] = [];

  /** By service, in order of the first question. */
  const watched = (since = 0): readonly string[] => {
    const questions = relay.since(since).filter(({ path }) => path.startsWith(HEALTH));
    return [...new Set(questions.map(({ path }) => path.slice(HEALTH.length)))];
  };
  /** Services whose own policy was asked for. */
  const rulesRead = (since: number): readonly string[] => {
    const asked = relay.since(since).filter(({ path }) => path.startsWith(RULES));
    return [...new Set(asked.flatMap(({ path }) => path.slice(RULES.length).split("/")[0] ?? []))];
  };
  const open = async (): Promise<Mesh> => {
    const config = `consul://127.0.0.1:${relay.port}`;
    const mesh = await createMesh({ config, service: "web", admin: "off", propagationDelayMs: 0, stateDir });
    meshes.push(mesh);
    return mesh;
  };
  const text = async (mesh: Mesh, service: string): Promise<string> => (await mesh.fetch(`http://${service}/`)).text();

  beforeAll(async () => {
    agent = await startDevAgent(binary!); // skipped without one
    relay = await Relay.start(agent.port);
    server = createServer((request, response) => response.end(request.headers.host)).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    await agent.must("PUT", "/v1/catalog/register", { Node: "fleet", Address: "127.0.0.1" });
    const services = Array.from({ length: KNOWN }, (_, index) => ({
      Service: {
        ...{ Verb: "set", Node: "fleet" },
        Service: { ID: `s${index}`, Service: `s${index}`, Address: "127.0.0.1", Port: port },
      },
    }));
    // 64 operations are the most that one transaction takes.
    for (let first = 0; first < KNOWN; first += 64) {
      await agent.must("PUT", "/v1/txn", services.slice(first, first + 64));
    }
    stateDir = await mkdtemp(join(tmpdir(), "inmesh-lazy-"));
  });
  afterAll(async () => {
    for (const mesh of meshes) await mesh.close();
    server?.close().closeAllConnections();
    await relay?.[Symbol.asyncDispose]();
    await agent?.[Symbol.asyncDispose]();
    if (stateDir !== undefined) await rm(stateDir, { recursive: true });
  });

  it("watches the five that are called, has those of the last run from the start, and what a Sidecar names", async () => {
    const first = await open();
    const called = [3, 141, 592, 653, 999].map((index) => `s${index}`);
    for (const service of called) expect(await text(first, service)).toBe(service);
    for (const service of called) expect(await text(first, service)).toBe(service);
    expect(watched()).toEqual(called);
    await first.close();

    const restarted = performance.now();
    const second = await open();
    expect(await text(second, "s3")).toBe("s3");
    expect([...watched(restarted)].sort()).toEqual([...called].sort());

    const host = "s7.default.svc.cluster.local";
    const sidecar = {
      ...{ apiVersion: "networking.istio.io/v1", kind: "Sidecar", metadata: { name: "default", namespace: "default" } },
      spec: { egress: [{ hosts: [`./${host}`, "./s3.default.svc.cluster.local"] }] },
    };
    await agent.must("PUT", "/v1/kv/inmesh/policy/Sidecar/default/default", sidecar);
    await eventually(() => watched(restarted).includes("s7"), equals(true));
    expect(watched(restarted)).toHaveLength(6);
    await agent.must("DELETE", "/v1/kv/inmesh/policy/Sidecar/default/default");
    await second.close();
  });

  it("reads the rules of the services that are called, has them for the first call, and each change at once", async () => {
    const rule = (host: string, body: string) => ({
      ...{
        apiVersion: "networking.istio.io/v1",
        kind: "VirtualService",
        metadata: { name: host, namespace: "default" },
      },
      spec: { hosts: [host], http: [{ directResponse: { status: 200, body: { string: body } } }] },
    });
    const base64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64");
    const keyOf = (host: string): string => `inmesh/services/default/${host}/VirtualService/${host}`;
    const operations = Array.from({ length: KNOWN }, (_, index) => ({
      KV: { Verb: "set", Key: keyOf(`s${index}`), Value: base64(rule(`s${index}`, `rule of s${index}`)) },
    }));
    for (let first = 0; first < KNOWN; first += 64) {
      await agent.must("PUT", "/v1/txn", operations.slice(first, first + 64));
    }
    const began = performance.now();
    await rm(stateDir, { recursive: true }); // nothing is in use from an earlier run
    const mesh = await open();
    const called = [8, 15, 16, 23, 42].map((index) => `s${index}`);
    const bodies = await Promise.all(called.map((service) => text(mesh, service)));
    expect(bodies).toEqual(called.map((service) => `rule of ${service}`));
    expect([...rulesRead(began)].sort()).toEqual([...called].sort());
    expect([...watched(began)].sort()).toEqual([...called].sort());

    await agent.must("PUT", `/v1/kv/${keyOf("s8")}`, rule("s8", "another rule"));
    await eventually(() => text(mesh, "s8"), equals("another rule"));
    await agent.must("PUT", `/v1/kv/${keyOf("s9")}`, rule("s9", "nobody reads this"));
    expect(await text(mesh, "s15")).toBe("rule of s15");
    await agent.must("DELETE", `/v1/kv/${keyOf("s8")}`);
    await eventually(() => text(mesh, "s8"), equals("s8")); // its server answers again
    expect(rulesRead(began)).toHaveLength(5);
  });
});
