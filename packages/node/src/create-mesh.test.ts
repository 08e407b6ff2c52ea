import { once } from "node:events";
import http, { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { MemoryRegistry } from "@inmesh/core";
import { type Document, documentFromValue, type Snapshot } from "@inmesh/model";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ConnectedMesh, PLANE } from "./connected-mesh.js";
import { createMesh } from "./create-mesh.js";
import type { Mesh } from "./mesh.js";
import type { MeshOptions } from "./settings/options.js";

const closing: (() => Promise<unknown>)[] = [];
let registry: MemoryRegistry;
beforeEach(() => {
  registry = new MemoryRegistry();
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function mesh(service: string, options: MeshOptions = {}): Promise<Mesh> {
  const made = await createMesh({ service, config: registry, propagationDelayMs: 0, admin: "off", ...options });
  closing.push(() => made.close());
  return made;
}

async function serve(of: Mesh, app: http.RequestListener): Promise<Server> {
  const server = of.attach(createServer(app));
  closing.push(async () => server.close().closeAllConnections());
  await once(server.listen(0, "127.0.0.1"), "listening");
  return server;
}

async function text(of: Mesh, url: string, init?: { headers: Record<string, string> }): Promise<[number, string]> {
  const response = await of.fetch(url, init);
  return [response.status, await response.text()];
}

async function known(of: Mesh, service: string): Promise<void> {
  const found = () =>
    of.status.snapshot.version > 0 &&
    [...(snapshot(of)?.services.keys() ?? [])].some((host) => host.startsWith(`${service}.`));
  while (!found()) await new Promise((resolve) => setImmediate(resolve));
}

function snapshot(of: Mesh): Snapshot | undefined {
  return (of as ConnectedMesh)[PLANE].store.current;
}

describe("createMesh", () => {
  it("asks a registry that tells instances of services in use for those that are called, and for no other", async () => {
    registry = new MemoryRegistry({ lazy: true });
    const [one, two, three] = [await mesh("one"), await mesh("two"), await mesh("three")];
    for (const each of [two, three]) await serve(each, (_, response) => response.end(each.service));
    await known(one, "two");
    await known(one, "three");
    expect(await text(one, "http://two/")).toEqual([200, "two"]);
    const pending = [...(snapshot(one)?.services.values() ?? [])].filter((service) => service.pending);
    expect(pending.map(({ name }) => name)).toEqual(["three"]);
  });

  it("lets two meshes of one process call each other, and each itself, without touching anything global", async () => {
    const before = [
      http.request,
      http.get,
      http.Server.prototype.emit,
      globalThis.fetch,
      process.listenerCount("SIGTERM"),
    ];
    const [one, two] = [await mesh("one"), await mesh("two")];
    for (const each of [one, two]) await serve(each, (_, response) => response.end(each.service));
    for (const each of [one, two]) for (const name of ["one", "two"]) await known(each, name);
    expect(await text(one, "http://two/")).toEqual([200, "two"]);
    expect(await text(two, "http://one.default.svc.cluster.local/")).toEqual([200, "one"]);
    expect(await text(two, "http://two/")).toEqual([200, "two"]);
    expect([
      http.request,
      http.get,
      http.Server.prototype.emit,
      globalThis.fetch,
      process.listenerCount("SIGTERM"),
    ]).toEqual(before);
  });

  it("carries trace and deadline from a request to the calls made for it, and nothing into detached work", async () => {
    const [front, back] = [await mesh("front"), await mesh("back")];
    const seen: (string | undefined)[] = [];
    await serve(back, ({ headers }, response) => {
      seen.push(headers.traceparent as string | undefined);
      response.end();
    });
    await serve(front, async (_, response) => {
      await front.fetch("http://back/");
      await front.detach(() => front.fetch("http://back/"));
      response.end(String(front.signal()?.aborted));
    });
    await Promise.all([known(front, "back"), known(back, "front")]);
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    expect(await text(back, "http://front/", { headers: { traceparent } })).toEqual([200, "false"]);
    expect(seen).toEqual([traceparent, undefined]);
    expect(front.signal()).toBeUndefined();
  });

  it("serves through handler, and learns its port from the first request", async () => {
    const web = await mesh("web");
    const server = createServer(web.handler((_, response) => response.end("hi"))).listen(0, "127.0.0.1");
    await once(server, "listening");
    closing.push(async () => server.close().closeAllConnections());
    const { port } = server.address() as AddressInfo;
    expect(web.status.ports).toEqual([]);
    await (await fetch(`http://127.0.0.1:${port}/`)).text();
    await known(web, "web");
    expect(web.status.ports).toEqual([port]);
    expect(await text(web, "http://web/")).toEqual([200, "hi"]);
  });

  it("advertises the ports it is told, the first as port 80", async () => {
    const web = await mesh("web", { ports: [9001, { name: "metrics", number: 9002 }] });
    expect(web.status.ports).toEqual([9001, 9002]);
  });

  it("waits for the first configuration, then answers 503 with the reason", async () => {
    const away = {
      register: () => registry.register(spec),
      openSource: () => ({
        watch: () => {},
        status: { state: "connecting" as const, since: 0 },
        close: async () => {},
      }),
    };
    const web = await mesh("web", { config: away, configWaitMs: 40 });
    const started = performance.now();
    const response = await web.fetch("http://anyone/");
    expect([response.status, response.headers.get("x-inmesh-error")]).toEqual([503, "CONFIG_UNAVAILABLE"]);
    expect(performance.now() - started).toBeGreaterThanOrEqual(30); // timers may be some ms early
    await expect(web.ready({ timeoutMs: 10 })).rejects.toMatchObject({ code: "CONFIG_UNAVAILABLE" });
    expect(web.status.state).toBe("starting");
  });

  it("takes documents as its configuration", async () => {
    const route = { directResponse: { status: 418, body: { string: "short and stout" } } };
    const documents = [
      document("ServiceEntry", {
        hosts: ["tea.test"],
        ports: [{ number: 80, name: "http", protocol: "HTTP" }],
        resolution: "DNS",
      }),
      document("VirtualService", { hosts: ["tea.test"], http: [route] }),
    ];
    const web = await mesh("web", { config: documents });
    await web.ready();
    expect(await text(web, "http://tea.test/")).toEqual([418, "short and stout"]);
  });

  it("drops policy and keeps names while MeshMode is off, and takes it up again", async () => {
    const web = await mesh("web");
    await serve(web, (_, response) => response.end("served"));
    await known(web, "web");
    const call = async () => (await text(web, "http://web/"))[1];
    const follow = async (expected: string) => {
      while ((await call()) !== expected) await new Promise((resolve) => setImmediate(resolve));
    };
    await registry.apply([
      document("VirtualService", {
        hosts: ["web"],
        http: [{ directResponse: { status: 200, body: { string: "policy" } } }],
      }),
    ]);
    await follow("policy");
    await registry.apply([{ ...document("MeshMode", { mode: "off" }, "inmesh.dev/v1alpha1") }]);
    await follow("served");
    expect(web.status.mode).toBe("off");
    await registry.delete(["MeshMode/default/it"]);
    await follow("policy");
  });

  it("passes on what a live observe would refuse, and counts it", async () => {
    await registry.apply([
      document("Sidecar", { outboundTrafficPolicy: { mode: "REGISTRY_ONLY" }, egress: [{ hosts: ["./*"] }] }),
    ]);
    const web = await mesh("web");
    await web.ready();
    expect((await text(web, "http://nobody.invalid/"))[0]).toBe(502);
    await registry.apply([document("MeshMode", { mode: "observe" }, "inmesh.dev/v1alpha1")]);
    while (web.status.mode !== "observe") await new Promise((resolve) => setImmediate(resolve));
    await expect(web.fetch("http://nobody.invalid/")).rejects.toThrowError("fetch failed"); // no such name in DNS
    const { rehearsal } = (web as ConnectedMesh)[PLANE].engine;
    expect(rehearsal.read()).toMatchObject([{ host: "nobody.invalid", calls: 1, refused: 1 }]);
  });

  it("only watches its own requests with mode observe, and leaves all of them as they are", async () => {
    const server = createServer(({ headers }, response) => response.end(JSON.stringify(headers))).listen(
      0,
      "127.0.0.1",
    );
    await once(server, "listening");
    closing.push(async () => server.close().closeAllConnections());
    const { port } = server.address() as AddressInfo;
    await registry.apply([
      document("ServiceEntry", {
        ...{ hosts: ["plain.test"], addresses: ["127.0.0.1"], resolution: "STATIC" },
        ...{ ports: [{ number: port, name: "http", protocol: "HTTP" }], endpoints: [{ address: "127.0.0.1" }] },
      }),
      document("VirtualService", {
        hosts: ["plain.test"],
        http: [{ redirect: { uri: "/elsewhere" } }],
      }),
    ]);
    const before = [http.request, globalThis.fetch];
    const web = await mesh("web", { mode: "observe" });
    await web.ready();
    const url = `http://127.0.0.1:${port}/`;
    await (await fetch(url)).text(); // not this mesh's
    const [status, body] = await text(web, url, { headers: { traceparent: "00-t" } });
    expect([status, JSON.parse(body).traceparent, [http.request, globalThis.fetch]]).toEqual([200, "00-t", before]);
    const { rehearsal } = (web as ConnectedMesh)[PLANE].engine;
    expect(rehearsal.read()).toMatchObject([{ host: "plain.test", calls: 1, answered: 1 }]);
    expect(web.status).toMatchObject({ mode: "observe", modeFrom: "setting" });
  });

  it("leaves excluded hosts to themselves", async () => {
    const reply = { status: 200, body: { string: "policy" } };
    await registry.apply([
      document("ServiceEntry", { hosts: ["*.invalid"], ports: [{ number: 80, name: "http", protocol: "HTTP" }] }),
      document("VirtualService", { hosts: ["*.invalid"], http: [{ directResponse: reply }] }),
    ]);
    const web = await mesh("web", { exclude: ["out.invalid"] });
    await web.ready();
    expect(await text(web, "http://in.invalid/")).toEqual([200, "policy"]);
    await expect(web.fetch("http://out.invalid/")).rejects.toThrowError("fetch failed"); // no such name in DNS
  });

  it("does nothing at all with mode off", async () => {
    const off = await mesh("web", { mode: "off" });
    const app = () => {};
    const server = createServer();
    expect([off.handler(app), off.attach(server)]).toEqual([app, server]);
    expect(Object.hasOwn(server, "emit")).toBe(false);
    await off.ready();
    await expect(off.fetch("http://nobody.invalid/")).rejects.toThrowError("fetch failed");
    expect(await registry.list()).toEqual([]);
  });

  it("closes once and for all: out of the registry, servers closed", async () => {
    const [web, other] = [await mesh("web"), await mesh("other")];
    const server = await serve(web, (_, response) => response.end("hi"));
    await known(other, "web");
    await Promise.all([web.close(), web.close()]);
    expect(server.listening).toBe(false);
    // Its name is known for a while longer: that nobody serves it is no question for the DNS.
    while ((await other.fetch("http://web/")).headers.get("x-inmesh-error") !== "NO_ENDPOINT")
      await new Promise((resolve) => setImmediate(resolve));
    expect(snapshot(other)?.services.has("web.default.svc.cluster.local")).toBe(true);
    expect(web.status.state).toBe("draining");
  });

  it("says in one line that it has begun, and where it tells more", async () => {
    const infos: string[] = [];
    const silent = (): void => {};
    const log = { error: silent, warn: silent, info: (line: string) => void infos.push(line), debug: silent };
    const made = await mesh("web", { log, admin: "127.0.0.1:0" });
    await serve(made, (_, response) => response.end());
    const line =
      /^inmesh \d+\.\d+\.\d+: default\/web, no identity; registry memory, \d+ services known; nothing patched; admin http:/;
    await expect.poll(() => infos).toEqual([expect.stringMatching(line)]);
    await known(made, "web");
    expect(infos).toHaveLength(1);
  });

  it.each([
    [{ service: "Not A Label" }, /^option service is "Not A Label": expected a DNS label.* \(CONFIG_INVALID\)$/],
    [{ config: "xds://istiod:15010?profile=all" }, /profile=all, expected api or envoy or grpc/],
    [{ mode: "watch" as "on" }, /^option mode is "watch": expected on, observe or off/],
  ])("throws CONFIG_INVALID for %j", async (options, message) => {
    await expect(createMesh(options)).rejects.toThrowError(message);
  });
});

const spec = {
  ...{ namespace: "default", service: "web", instance: "1", address: "127.0.0.1", ports: [], labels: {} },
  ...{ pid: 1, ttlMs: 15_000, inmeshVersion: "0", schemaVersion: 1 },
};

function document(kind: string, specOf: object, apiVersion = "networking.istio.io/v1"): Document {
  const value = { apiVersion, kind, metadata: { name: "it", namespace: "default" }, spec: specOf };
  const { documents, problems } = documentFromValue(value);
  if (documents[0] === undefined) throw new Error(JSON.stringify(problems));
  return documents[0];
}
