import { once } from "node:events";
import { createServer, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryRegistry, type Source, type SourceStatus } from "@inmesh/core";
import type { ClusterView } from "@inmesh/core/admin";
import { patchServers } from "@inmesh/http/server";
import { afterEach, expect, it } from "vitest";
import { type ConnectedMesh, PLANE } from "../connected-mesh.js";
import { createMesh } from "../create-mesh.js";
import type { MeshOptions } from "../settings/options.js";

const closing: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Says of itself what the test has it say. */
class FailingRegistry extends MemoryRegistry {
  says: SourceStatus = { state: "fresh", since: performance.now() };

  override openSource(): Source {
    const source = super.openSource();
    const says = () => this.says;
    return {
      watch: (listener) => source.watch(listener),
      close: () => source.close(),
      get status() {
        return says();
      },
    };
  }
}

async function admin(options: MeshOptions = {}) {
  const mesh = await createMesh({ service: "web", config: new MemoryRegistry(), propagationDelayMs: 0, ...options });
  closing.push(() => mesh.close());
  const server = mesh.attach(createServer((_, response) => response.end("hello")));
  await once(server.listen(0, "127.0.0.1"), "listening");
  while (mesh.status.ports.length === 0 || mesh.status.snapshot.version === 0)
    await new Promise((resolve) => setImmediate(resolve));
  const url = mesh.adminUrl ?? "";
  const get = async (path: string) => {
    const response = await fetch(`${url}${path}`);
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const post = async (path: string, headers: Record<string, string> = { "x-inmesh-admin": "1" }) =>
    (await fetch(`${url}${path}`, { method: "POST", headers })).status;
  return { mesh, url, get, post };
}

function statusFor(url: string, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    request(url, { headers: { host } }, (response) => resolve(response.resume().statusCode ?? 0))
      .on("error", reject)
      .end();
  });
}

it("listens on loopback, at a port of its own, and is no server of the mesh", async () => {
  const { mesh, url } = await admin();
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  expect(mesh.status.ports).not.toContain(Number(new URL(url).port));
});

it("is no server of a mesh that patches every server either", async () => {
  const { servers, inbound } = ((await admin()).mesh as ConnectedMesh)[PLANE];
  closing.push(patchServers(servers));
  const { url } = await admin();
  await fetch(`${url}/stats`);
  expect(servers.listeners).toHaveLength(2); // the servers of the two applications
  expect(inbound.read().requests).toBe(0);
});

it.each([
  "/",
  "/server_info",
  "/snapshot",
  "/registry",
  "/clusters",
  "/listeners",
  "/stats",
  "/stack",
  "/requests",
  "/events",
  "/healthz",
  "/ready",
  "/live",
])("shows %s as JSON", async (path) => {
  const { get } = await admin();
  expect(await get(path)).toMatchObject({ status: 200, body: expect.any(Object) });
});

it("tells the story of a call, and its counts", async () => {
  const { mesh, get } = await admin();
  while (!(await mesh.fetch("http://web/a?b=c")).ok) await new Promise((resolve) => setImmediate(resolve));
  const { body } = await get("/requests?limit=1");
  expect(body["requests"]).toMatchObject([
    {
      method: "GET",
      authority: "web",
      path: "/a",
      status: 200,
      error: "",
      attempts: [{ number: 1, outcome: "answered 200" }],
    },
  ]);
  expect((await get("/stats")).body).toMatchObject({
    service: "web",
    inbound: { requests: 1, failures: 0 },
    outbound: [{ host: "web.default.svc.cluster.local", stats: { calls: 1, successes: 1 } }],
  });
  expect((await get("/clusters")).body).toMatchObject({
    clusters: [{ endpoints: [{ attempts: 1, failures: 0, inFlight: 0 }] }],
  });
  expect((await get("/stack?service=web")).body["routes"]).toMatchObject([
    { virtualHost: "web.default.svc.cluster.local:80" },
  ]);
});

it("stays ready while the registry is away, and says degraded, why and since when", async () => {
  const registry = new FailingRegistry();
  const { get, post } = await admin({ config: registry });
  expect(await get("/healthz")).toMatchObject({ status: 200, body: { status: "ok", details: [] } });
  registry.says = { state: "stale", since: performance.now() - 4_000, reason: "connection refused" };
  const away = { url: "memory", state: "stale", reason: "connection refused", held: [] };
  expect(await get("/healthz")).toMatchObject({
    status: 200,
    body: { status: "degraded", details: ["the registry memory is away for 4 s: connection refused"], registry: away },
  });
  expect((await get("/ready")).status).toBe(200);
  expect((await get("/registry")).body).toMatchObject({ ...away, publications: expect.any(Number) });
  const { staleMs, snapshotAgeMs } = (await get("/registry")).body;
  expect([Number(staleMs) >= 4_000, Number(snapshotAgeMs) >= 0]).toEqual([true, true]);
  expect((await get("/stats")).body["registry"]).toMatchObject(away);
  expect((await get("/server_info")).body).toMatchObject({ state: "degraded", registry: away });
  registry.says = { state: "fresh", since: performance.now(), lagMs: 12_000 };
  expect((await get("/healthz")).body).toMatchObject({
    details: ["the registry memory is behind: the server that answers has not heard of its leader for 12 s"],
  });
  await post("/healthcheck/fail");
  expect(await get("/healthz")).toMatchObject({ status: 503, body: { status: "failing" } });
});

it("marks instances that the registry lost all at once and that are still used", async () => {
  const registry = new FailingRegistry();
  const { mesh, get } = await admin({ config: registry });
  while (!(await mesh.fetch("http://web/")).ok) await new Promise((resolve) => setImmediate(resolve));
  const [endpoint] = ((await get("/clusters")).body["clusters"] as ClusterView[])[0]?.endpoints ?? [];
  const now = performance.now();
  const instances = endpoint?.workloads ?? [];
  const held = [{ namespace: "default", service: "web", instances, of: 3, since: now, until: now + 30_000 }];
  registry.says = { state: "fresh", since: now, held };
  const { clusters } = (await get("/clusters")).body as { clusters: ClusterView[] };
  expect(clusters[0]?.endpoints[0]?.suspectForMs).toBeGreaterThan(20_000);
  expect((await get("/registry")).body["held"]).toMatchObject([{ service: "web", instances, of: 3 }]);
  expect((await get("/healthz")).body).toMatchObject({
    status: "degraded",
    details: [expect.stringMatching(/^1 of 3 instances of default\/web stay in use for (29|30) s more/)],
  });
});

it("explains a request without sending it", async () => {
  const { get } = await admin();
  const { body } = await get(`/explain?method=POST&url=${encodeURIComponent("http://web/x")}&header=x-user:beta`);
  expect(body).toMatchObject({ outcome: "route", request: { method: "POST", headers: { "x-user": "beta" } } });
  expect((await get("/explain")).status).toBe(400);
  expect((await get("/explain?url=http://web/&header=broken")).status).toBe(400);
});

it("refuses a foreign Host header with 403: a web page must not read it by DNS rebinding", async () => {
  const { url } = await admin();
  const { port } = new URL(url);
  expect([await statusFor(url, `localhost:${port}`), await statusFor(url, `evil.example:${port}`)]).toEqual([200, 403]);
});

it("changes something only by POST with the admin header", async () => {
  const { get, post } = await admin();
  expect(await post("/healthcheck/fail", {})).toBe(403);
  expect((await get("/healthcheck/fail")).status).toBe(405);
  expect((await get("/ready")).status).toBe(200);
  expect(await post("/healthcheck/fail")).toBe(202);
  expect((await get("/ready")).status).toBe(503);
  expect(await post("/healthcheck/ok")).toBe(202);
  expect((await get("/ready")).status).toBe(200);
  expect([await post("/nothing"), (await get("/nothing")).status]).toEqual([404, 404]);
});

it("drains the process on POST /drain", async () => {
  const { mesh, post } = await admin();
  expect(await post("/drain")).toBe(202);
  expect((await mesh.drain()).cut).toBe(0);
  expect(mesh.status).toMatchObject({ state: "draining", ports: [] });
});

it("listens on a unix socket, and not at all, when told so", async () => {
  const path = join(tmpdir(), `inmesh-admin-${process.pid}.sock`);
  const { mesh } = await admin({ admin: `unix:${path}` });
  expect(mesh.adminUrl).toBe(`unix:${path}`);
  const status = await new Promise((resolve, reject) => {
    request({ socketPath: path, path: "/live" }, (response) => resolve(response.resume().statusCode))
      .on("error", reject)
      .end();
  });
  expect(status).toBe(200);
  expect((await admin({ admin: "off" })).mesh.adminUrl).toBeUndefined();
});

it("does without an address that is taken", async () => {
  const first = await admin();
  const { mesh } = await admin({ admin: new URL(first.url).host, log: "error" });
  expect(mesh.adminUrl).toBeUndefined();
  expect(mesh.status.state).toBe("ready");
});
