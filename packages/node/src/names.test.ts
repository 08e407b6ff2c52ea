import { once } from "node:events";
import { createServer, get, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { MemoryRegistry } from "@inmesh/core";
import { type Document, documentFromValue } from "@inmesh/model";
import { afterEach, describe, expect, it } from "vitest";
import { type ConnectedMesh, PLANE } from "./connected-mesh.js";
import { createMesh } from "./create-mesh.js";

const SERVED = "api.example.com was served";
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function upstream(): Promise<number> {
  const server = createServer(({ headers }, response) => response.end(`${headers.host} was served`));
  await once(server.listen(0, "localhost"), "listening"); // whichever address that is here
  closing.push(async () => server.close().closeAllConnections());
  return (server.address() as AddressInfo).port;
}

async function meshWith(...documents: readonly Document[]) {
  const registry = new MemoryRegistry();
  await registry.apply(documents);
  const mesh = await createMesh({ service: "web", config: registry, propagationDelayMs: 0 });
  closing.push(() => mesh.close());
  await mesh.ready();
  const call = async (url: string, init?: { method: string; body: string }): Promise<[number, string]> => {
    const response = await mesh.fetch(url, init);
    return [response.status, await response.text()];
  };
  const endpoints = () =>
    (mesh as ConnectedMesh)[PLANE].engine.clusters
      .all()
      .flatMap(({ states }) => states.map(({ endpoint }) => endpoint));
  return { mesh, call, endpoints };
}

function entry(spec: object): Document {
  return document("ServiceEntry", "api", { location: "MESH_EXTERNAL", ...spec });
}

function document(kind: string, name: string, spec: object, apiVersion = "networking.istio.io/v1"): Document {
  const value = { apiVersion, kind, metadata: { name, namespace: "default" }, spec };
  const { documents, problems } = documentFromValue(value);
  if (documents[0] === undefined) throw new Error(JSON.stringify(problems));
  return documents[0];
}

/** Port 80 of the entry is the upstream's. */
function ports(targetPort: number) {
  return { ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort }] };
}

describe("a ServiceEntry whose endpoint is a name", () => {
  it("with DNS is called at every address of the name, under its own host", async () => {
    const port = await upstream();
    const { call, endpoints } = await meshWith(
      entry({ hosts: ["api.example.com"], resolution: "DNS", endpoints: [{ address: "localhost" }], ...ports(port) }),
    );
    expect(endpoints()).toEqual([]);
    const calls = Array.from({ length: 20 }, () => call("http://api.example.com/"));
    expect(await Promise.all(calls)).toEqual(Array(20).fill([200, SERVED]));
    expect(await call("http://api.example.com/", { method: "POST", body: "x" })).toEqual([200, SERVED]);
    const ids = endpoints().map(({ id }) => id);
    expect(ids.length).toBeGreaterThan(0);
    for (const id of ids) expect([`127.0.0.1:${port}`, `[::1]:${port}`]).toContain(id);
    expect(endpoints()[0]).toMatchObject({ dnsName: "localhost", port });
  });

  it.each(["http.get", "agent"])("is waited for by %s, too, with its first request", async (client) => {
    const port = await upstream();
    const { mesh } = await meshWith(
      entry({ hosts: ["api.example.com"], resolution: "DNS", endpoints: [{ address: "localhost" }], ...ports(port) }),
    );
    const url = "http://api.example.com/";
    const sent = client === "agent" ? get(url, { agent: mesh.agent() }) : mesh.http.get(url);
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    expect([response.statusCode, (await response.setEncoding("utf8").toArray()).join("")]).toEqual([200, SERVED]);
  });

  it("may be a WorkloadEntry that a selector chooses", async () => {
    const port = await upstream();
    const { call, endpoints } = await meshWith(
      entry({
        ...{ hosts: ["api.example.com"], resolution: "DNS", workloadSelector: { labels: { app: "api" } } },
        ports: [{ number: 80, name: "http", protocol: "HTTP" }],
      }),
      document("WorkloadEntry", "one", {
        ...{ address: "localhost", labels: { app: "api", version: "v2" }, weight: 7, locality: "eu/a" },
        ports: { http: port },
      }),
    );
    expect(await call("http://api.example.com/")).toEqual([200, SERVED]);
    expect(endpoints()[0]).toMatchObject({
      ...{ dnsName: "localhost", port, weight: 7, workloads: ["one"] },
      ...{ labels: { app: "api", version: "v2" }, locality: { region: "eu", zone: "a" } },
    });
  });

  it("may be what a Service of type ExternalName stands for", async () => {
    const port = await upstream();
    const { call } = await meshWith(
      document("Service", "ext", { type: "ExternalName", externalName: "localhost.", ports: [{ port }] }, "v1"),
    );
    expect(await call(`http://ext:${port}/`)).toEqual([200, `ext:${port} was served`]);
  });

  it("is shown with the addresses in use at the admin endpoint", async () => {
    const port = await upstream();
    const { mesh, call, endpoints } = await meshWith(
      entry({ hosts: ["api.example.com"], resolution: "DNS", endpoints: [{ address: "localhost" }], ...ports(port) }),
    );
    const ask = async (path: string) => (await fetch(`${mesh.adminUrl}${path}`)).json();
    const explained = `/explain?url=${encodeURIComponent("http://api.example.com/")}`;
    expect(await ask(explained)).toMatchObject({ destinations: [{ endpoints: 1, lookedUp: [] }] });
    await call("http://api.example.com/");
    const ids = endpoints().map(({ id }) => id);
    expect(await ask(explained)).toMatchObject({ destinations: [{ endpoints: ids.length, lookedUp: ids }] });
    const { clusters } = (await ask("/clusters")) as { clusters: { endpoints: object[] }[] };
    const shown = ids.map((id) => expect.objectContaining({ id, dnsName: "localhost" }));
    expect(clusters[0]?.endpoints).toEqual(shown);
    const { services } = (await ask("/snapshot")) as { services: { host: string; endpoints: number }[] };
    expect(services.find(({ host }) => host === "api.example.com")?.endpoints).toBe(ids.length);
  });

  it("with DNS_ROUND_ROBIN is one endpoint under its name", async () => {
    const port = await upstream();
    const { call, endpoints } = await meshWith(
      entry({
        ...{ hosts: ["api.example.com"], resolution: "DNS_ROUND_ROBIN", endpoints: [{ address: "localhost" }] },
        ...ports(port),
      }),
    );
    for (let n = 0; n < 3; n++) expect(await call("http://api.example.com/")).toEqual([200, SERVED]);
    expect(endpoints().map(({ id }) => id)).toEqual([`localhost:${port}`]);
  });

  it("is answered 503 with the name and what became of its lookup when there is no such name", async () => {
    const { call } = await meshWith(
      entry({
        hosts: ["api.example.com"],
        resolution: "DNS",
        endpoints: [{ address: "nobody.invalid" }],
        ...ports(1),
      }),
    );
    const [status, text] = await call("http://api.example.com/");
    expect([status, text]).toEqual([
      503,
      expect.stringMatching(/no endpoint for "api\.example\.com" port 80: "nobody\.invalid"/),
    ]);
  });
});
