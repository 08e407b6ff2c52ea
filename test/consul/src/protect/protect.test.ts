import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMesh, type Mesh, type MeshOptions } from "@inmesh/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { equals, eventually } from "../eventually.js";
import { type DevAgent, findConsul, Relay, startDevAgent } from "../peer/index.js";

const binary = findConsul("that nothing is lost while Consul is away, or has lost its memory");

describe.skipIf(binary === undefined)("a mesh whose Consul", () => {
  let agent: DevAgent;
  let relay: Relay;
  let stateDir: string;
  const servers: Server[] = [];
  const meshes: Mesh[] = [];

  const open = async (options: MeshOptions = {}): Promise<Mesh> => {
    const config = `consul://127.0.0.1:${relay.port}`;
    const own = { config, service: "web", propagationDelayMs: 0, stateDir, log: "error" } as const;
    const mesh = await createMesh({ ...own, ...options });
    meshes.push(mesh);
    return mesh;
  };
  /** Real servers on a node of their own, which one request takes away. */
  const register = async (node: string, service: string, count: number): Promise<readonly Server[]> => {
    const made = Array.from({ length: count }, () => createServer((_, response) => response.end(service)));
    await agent.must("PUT", "/v1/catalog/register", { Node: node, Address: "127.0.0.1" });
    for (const [index, server] of made.entries()) {
      servers.push(server);
      await once(server.listen(0, "127.0.0.1"), "listening");
      const { port } = server.address() as AddressInfo;
      const instance = { ID: `${service}-${index}`, Service: service, Address: "127.0.0.1", Port: port };
      await agent.must("PUT", "/v1/catalog/register", { Node: node, Address: "127.0.0.1", Service: instance });
    }
    return made;
  };
  const page = async (mesh: Mesh, path: string): Promise<Record<string, unknown>> =>
    (await (await fetch(`${mesh.adminUrl}${path}`)).json()) as Record<string, unknown>;
  const heldBy = async (mesh: Mesh): Promise<number> => {
    const { held } = (await page(mesh, "/registry")) as { held: { instances: string[] }[] };
    return held.flatMap(({ instances }) => instances).length;
  };
  const call = async (mesh: Mesh, service: string): Promise<string> => {
    const answer = await mesh.fetch(`http://${service}/`);
    return answer.ok ? answer.text() : `${answer.status} ${answer.headers.get("x-inmesh-error")}`;
  };

  beforeAll(async () => {
    agent = await startDevAgent(binary!); // skipped without one
    relay = await Relay.start(agent.port);
    stateDir = await mkdtemp(join(tmpdir(), "inmesh-protect-"));
  });
  afterAll(async () => {
    for (const mesh of meshes) await mesh.close();
    for (const server of servers) server.close().closeAllConnections();
    await relay?.[Symbol.asyncDispose]();
    await agent?.[Symbol.asyncDispose]();
    if (stateDir !== undefined) await rm(stateDir, { recursive: true });
  });

  it("loses all instances of a service at once goes on calling them, but for those that refuse, and then obeys", async () => {
    const instances = await register("fleet", "stock", 6);
    const mesh = await open({ protectionMs: 3_000 });
    await eventually(() => call(mesh, "stock"), equals("stock"));
    const answers = new Set<string>();
    let calling = true;
    const caller = (async () => {
      while (calling) answers.add(await call(mesh, "stock"));
    })();
    await agent.must("PUT", "/v1/catalog/deregister", { Node: "fleet" });
    await eventually(() => heldBy(mesh), equals(6));
    expect((await page(mesh, "/healthz"))["details"]).toEqual([
      expect.stringMatching(
        /^6 of 6 instances of default\/stock stay in use for \d s more: the registry lost them all/,
      ),
    ]);
    instances[0]?.close(); // what it is at it answers: a connection cut under a request is another test's
    await eventually(() => heldBy(mesh), equals(5));
    calling = false;
    await caller;
    expect([...answers]).toEqual(["stock"]);
    await eventually(() => heldBy(mesh), equals(0));
    await eventually(() => call(mesh, "stock"), equals("503 NO_ENDPOINT")); // known, and served by nobody
    const { events } = (await page(mesh, "/events")) as { events: { kind: string; message: string }[] };
    const said = events.filter(({ kind }) => kind === "registry").map(({ message }) => message);
    expect(said).toEqual([
      expect.stringMatching(
        /^the registry lost [56] of 6 instances of default\/stock at once: they stay in use for 3 s/,
      ),
      expect.stringMatching(/: 1 refused connections, 5 stayed away and are gone$/),
    ]);
  });

  it("is away keeps what it said, also over a start, and takes its word again when it is back", async () => {
    await register("racks", "paper", 2);
    const mesh = await open({ service: "desk" });
    await eventually(() => call(mesh, "paper"), equals("paper"));
    await relay.close();
    await eventually(() => mesh.status.registry.state, equals("stale"));
    expect(await call(mesh, "paper")).toBe("paper");
    await mesh.close(); // the state is written now, if not before
    const started = await open({ service: "desk" });
    expect(await call(started, "paper")).toBe("paper");
    expect(started.status).toMatchObject({ state: "degraded", registry: { stateSavedAt: expect.any(String) } });
    const health = await fetch(`${started.adminUrl}/healthz`);
    const { status, details } = (await health.json()) as { status: string; details: string[] };
    expect([health.status, status, details[1]]).toEqual([
      ...[200, "degraded"],
      expect.stringMatching(/^the state saved \d+ s ago is in force$/),
    ]);
    await register("racks", "pens", 1);
    await relay.open();
    await eventually(() => call(started, "pens"), equals("pens"));
    expect(started.status.registry).not.toHaveProperty("stateSavedAt");
    expect(await call(started, "paper")).toBe("paper");
  });

  it("starts anew with an empty memory loses no call: those who serve register again before they are given up", async () => {
    const caller = await open({ service: "reader" });
    const serving = await open({ service: "press", admin: "off" });
    const server = serving.attach(createServer((_, response) => response.end("press")));
    servers.push(server);
    await once(server.listen(0, "127.0.0.1"), "listening");
    await eventually(() => call(caller, "press"), equals("press"));
    const answers = new Set<string>();
    let calling = true;
    const calls = (async () => {
      while (calling) answers.add(await call(caller, "press"));
    })();
    await agent.restart({ forgetful: true });
    await eventually(
      () => agent.must("GET", "/v1/health/service/press?passing"),
      (found) => expect(found).toHaveLength(1),
    );
    await eventually(() => heldBy(caller), equals(0));
    calling = false;
    await calls;
    expect([...answers]).toEqual(["press"]);
    expect(await call(caller, "press")).toBe("press");
  });
});
