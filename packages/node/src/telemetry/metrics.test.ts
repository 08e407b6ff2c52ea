import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { MemoryRegistry } from "@inmesh/core";
import { documentFromValue } from "@inmesh/model";
import { afterEach, describe, expect, it } from "vitest";
import { createMesh } from "../create-mesh.js";
import type { Mesh } from "../mesh.js";
import type { MeshOptions } from "../settings/options.js";

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function pair(
  options: MeshOptions = {},
): Promise<{ readonly caller: Mesh; readonly served: Mesh; readonly config: MemoryRegistry }> {
  const config = new MemoryRegistry();
  const shared = { config, propagationDelayMs: 0, log: "error" } as const;
  const served = await createMesh({ service: "reviews", version: "v2", ...shared });
  const server = served.attach(createServer((_, response) => response.end("hello")));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const caller = await createMesh({ service: "web", ...shared, ...options });
  open.push(
    () => served.close(),
    () => caller.close(),
  );
  await expect.poll(async () => (await caller.fetch("http://reviews/")).status).toBe(200);
  return { caller, served, config };
}

async function read(mesh: Mesh, query = "", headers: Record<string, string> = {}) {
  const response = await fetch(`${mesh.adminUrl}/stats/prometheus${query}`, { headers });
  return { status: response.status, type: response.headers.get("content-type"), text: await response.text() };
}

describe("/stats/prometheus", () => {
  it("tells of calls at both ends, and of the mesh itself", async () => {
    const { caller, served } = await pair();
    const own = await read(caller);
    expect(own.type).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(own.text).toMatch(
      /istio_requests_total\{reporter="source",source_workload="web",.*destination_workload="reviews-v2",.*response_code="200"/,
    );
    expect(own.text).toMatch(/^inmesh_upstream_attempts_total\{service="reviews\.default.*result="success"} [1-9]/m);
    expect(own.text).toMatch(/^inmesh_endpoints\{service="reviews\.default\.svc\.cluster\.local",health="usable"} 1$/m);
    const pool = (state: string): string =>
      `inmesh_pool_connections{service="reviews.default.svc.cluster.local",state="${state}"}`;
    expect(own.text).toContain(`${pool("active")} 0\n${pool("idle")} 1\n`);
    expect(own.text).toMatch(/^inmesh_config_version\{source="memory"} [1-9]/m);
    expect((await read(served)).text).toMatch(
      /istio_requests_total\{reporter="destination",.*security_policy="none"} [1-9]/,
    );
  });

  it("reads by name, in OpenMetrics where it is asked for, and refuses what is no expression", async () => {
    const { caller } = await pair();
    const { text } = await read(caller, "?filter=^process_");
    expect([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name?.startsWith("process_"))).toEqual([
      true,
      true,
      true,
    ]);
    const openMetrics = await read(caller, "", {
      accept: "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
    });
    expect(openMetrics.type).toMatch(/^application\/openmetrics-text/);
    expect(openMetrics.text.endsWith("# EOF\n")).toBe(true);
    expect((await read(caller)).text).toMatch(/^inmesh_pool_pending/m);
    expect((await read(caller, "?usedonly")).text).not.toMatch(/^inmesh_pool_pending/m);
    for (const filter of ["(", "a".repeat(300)]) {
      expect((await read(caller, `?filter=${encodeURIComponent(filter)}`)).status).toBe(400);
    }
    // What would hold up an engine that tries everything.
    expect((await read(caller, `?filter=${encodeURIComponent("(a+)+(_+)+x$")}`)).text).toBe("");
  });

  it("tells of hosts that nobody knows where the mesh refuses them, and of nothing that goes around it", async () => {
    const { caller, config } = await pair();
    const known = (await read(caller)).text
      .split("\n")
      .filter((line) => line.startsWith("istio_requests_total")).length;
    const elsewhere = createServer((_, response) => response.end());
    await new Promise<void>((resolve) => elsewhere.listen(0, "127.0.0.1", resolve));
    open.push(() => new Promise((resolve) => elsewhere.close(resolve)));
    const url = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`;
    expect((await caller.fetch(url)).status).toBe(200);
    expect((await read(caller)).text.match(/^istio_requests_total/gm)).toHaveLength(known);
    const spec = { outboundTrafficPolicy: { mode: "REGISTRY_ONLY" }, egress: [{ hosts: ["./*"] }] };
    const metadata = { name: "it", namespace: "default" };
    const value = { apiVersion: "networking.istio.io/v1", kind: "Sidecar", metadata, spec };
    await config.apply(documentFromValue(value).documents);
    const ask = (): Promise<number> =>
      caller.fetch("http://nobody.invalid/").then(
        ({ status }) => status,
        () => 0, // no such name in DNS
      );
    await expect.poll(ask, { timeout: 10_000 }).toBe(502);
    const [refused] = (await read(caller)).text.match(/^istio_requests_total\{.*BlackHoleCluster.*$/m) ?? [];
    expect(refused).toMatch(/destination_service="unknown".*response_code="502",response_flags="-"/);
  });

  it("begins at 0 when it is told to", async () => {
    const { caller } = await pair();
    const reset = await fetch(`${caller.adminUrl}/reset_counters`, {
      method: "POST",
      headers: { "x-inmesh-admin": "1" },
    });
    expect(reset.status, await reset.text()).toBe(202);
    expect((await read(caller)).text).not.toMatch(/^istio_requests_total/m);
  });
});

describe("a port of its own", () => {
  it("serves metrics and nothing else, with the application's behind them", async () => {
    const application = createServer((_, response) =>
      response.end("# TYPE process_cpu_seconds counter\norders_total 3\n"),
    );
    await new Promise<void>((resolve) => application.listen(0, "127.0.0.1", resolve));
    open.push(() => new Promise((resolve) => application.close(resolve)));
    const probe = createServer();
    await new Promise<void>((resolve) => probe.listen(0, resolve));
    const metricsPort = (probe.address() as AddressInfo).port;
    await new Promise((resolve) => probe.close(resolve));
    const metricsMerge = `http://127.0.0.1:${(application.address() as AddressInfo).port}/metrics`;
    await pair({ metricsPort, metricsMerge });
    const at = `http://127.0.0.1:${metricsPort}`;
    const text = await (await fetch(`${at}/metrics`)).text();
    expect(text).toMatch(/istio_requests_total\{reporter="source"/);
    expect(text).toMatch(/orders_total 3\n$/);
    expect(text).not.toMatch(/^process_cpu_seconds_total/m); // the application has it
    expect((await fetch(`${at}/server_info`)).status).toBe(404);
    expect((await fetch(`${at}/metrics`, { method: "POST" })).status).toBe(405);
  });
});

it("is a registry for those who answer scrapers themselves", async () => {
  const { caller } = await pair();
  const registry = caller.metricsRegistry();
  expect(registry.contentType).toMatch(/^text\/plain; version=0\.0\.4/);
  expect(await registry.metrics()).toMatch(/# TYPE istio_requests_total counter/);
});

it("names the workload and its cluster as settings say, at both ends", async () => {
  const { caller } = await pair({ workload: "front", cluster: "east" });
  expect((await read(caller)).text).toMatch(/source_workload="front".*source_cluster="east"/);
});
