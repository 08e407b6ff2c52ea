import { createServer, request } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { createMesh, type Mesh, registeredMesh } from "@inmesh/node";
import express4 from "express4";
import fastify from "fastify";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { until } from "../../../packages/node/test/until.js";
import { AppProcess } from "./app-process.js";
import { ask, type Protocol } from "./ask.js";
import { Registry } from "./registry.js";

const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

let registry: Registry;
let mesh: Mesh;
beforeEach(async () => {
  registry = new Registry();
  mesh = await createMesh({ service: "web", config: registry.folder, propagationDelayMs: 0 });
});
afterEach(async () => {
  await mesh.close();
  registry[Symbol.dispose]();
});

interface Served {
  readonly port: number;
  /** Whether its port is known before the first request. */
  readonly atOnce: boolean;
  close?(): unknown;
}

const LIMITS = `apiVersion: inmesh.dev/v1alpha1
kind: RateLimit
metadata: { name: web }
spec: { host: web, rules: [{ name: all, requests: 2, per: 60s, match: [{ uri: { exact: /limited } }] }] }
`;

interface Stats {
  readonly inbound: { readonly requests: number; readonly inFlight: number };
  readonly gate?: object;
}

async function stats(): Promise<Stats> {
  return (await (await fetch(`${mesh.adminUrl}/stats`)).json()) as Stats;
}

/** Inbound figures of the mesh. */
async function inbound(): Promise<Stats["inbound"]> {
  return (await stats()).inbound;
}

/** What a route `/leave` does: it waits until its caller is gone. */
function leave(heard: string[]): Promise<string> {
  heard.push("/leave");
  return new Promise((resolve) => {
    mesh.signal()?.addEventListener("abort", () => {
      heard.push("left");
      resolve("");
    });
  });
}

/** An answer that tells of the context: a call of the mesh to a server which echoes what it got. */
async function viaMesh(): Promise<string> {
  await new Promise((resolve) => setImmediate(resolve));
  const response = await mesh.fetch("http://web/echo");
  return response.text();
}

const listening = async (server: { once(event: "listening", done: () => void): unknown; address(): unknown }) => {
  await new Promise<void>((resolve) => server.once("listening", resolve));
  return (server.address() as AddressInfo).port;
};

const APPS: readonly (readonly [name: string, protocol: Protocol, make: (heard?: string[]) => Promise<Served>])[] = [
  // Not Express 5: it loads `is-promise` by require, which the conditions of this test runner take for a module. See below.
  [
    "express() in Express 4",
    "http",
    async (heard = []) => {
      const app = express4();
      app.use(mesh.express());
      app.get("/echo", (request, response) => void response.json(request.headers));
      app.get("/limited", (request, response) => void response.send(`${heard.push(request.path)}`));
      app.get("/leave", (_request, response) => void leave(heard).then((text) => response.send(text)));
      app.get("/", (_request, response) => void viaMesh().then((text) => response.send(text)));
      return { port: await listening(app.listen(0, "127.0.0.1")), atOnce: false };
    },
  ],
  [
    "fastify() in Fastify 5",
    "http",
    async (heard = []) => {
      const app = fastify();
      app.register(mesh.fastify());
      app.get("/echo", (request) => request.headers);
      app.get("/limited", (request) => `${heard.push(request.url)}`);
      app.get("/leave", () => leave(heard));
      app.get("/", viaMesh);
      await app.listen({ port: 0, host: "127.0.0.1" });
      return { port: (app.server.address() as AddressInfo).port, atOnce: true };
    },
  ],
  [
    "handler()",
    "http",
    async (heard = []) => {
      const server = createServer(
        mesh.handler(async (request, response) => {
          if (request.url === "/limited") return response.end(`${heard.push(request.url)}`);
          if (request.url === "/leave") return response.end(await leave(heard));
          response.end(request.url === "/echo" ? JSON.stringify(request.headers) : await viaMesh());
        }),
      );
      return { port: await listening(server.listen(0, "127.0.0.1")), atOnce: false };
    },
  ],
];

describe.each(APPS)("mesh.%s", (_, protocol, make) => {
  it("brings requests into the mesh, once each, and the port into the registry", async () => {
    const { port, atOnce } = await make();
    if (!atOnce) await ask(protocol, port, "/echo");
    await until(() => registry.leases("web").some(({ ports }) => ports["http"] === port));
    await until(() =>
      mesh.fetch("http://web/echo").then(
        ({ ok }) => ok,
        () => false,
      ),
    ); // a stranger's name is asked of DNS
    const before = (await inbound()).requests;
    const { text } = await ask(protocol, port, "/", { traceparent: TRACE });
    expect(JSON.parse(text)).toMatchObject({ traceparent: TRACE });
    expect(JSON.parse(text)).toMatchObject({ traceparent: TRACE });
    expect((await inbound()).requests - before).toBe(2); // it and the call it made
  });

  it("turns away what policy does not let in, before the application sees it, and tells it when a caller left", async () => {
    const heard: string[] = [];
    const { port } = await make(heard);
    registry.write("limits.yaml", LIMITS);
    const limited = async () => Object.keys((await stats()).gate ?? {}).length > 0;
    await until(limited);
    const asked = async () => (await ask(protocol, port, "/limited")).status;
    expect([await asked(), await asked(), await asked(), await asked()]).toEqual([200, 200, 429, 429]);
    expect(heard).toEqual(["/limited", "/limited"]);
    const late = await ask(protocol, port, "/echo", { "x-inmesh-timeout-ms": "0" });
    expect([late.status, late.text]).toEqual([504, expect.stringContaining("DEADLINE_EXCEEDED")]);
    const leaving = request({ port, host: "127.0.0.1", path: "/leave" }).on("error", () => {});
    leaving.end();
    await until(() => heard.includes("/leave"));
    leaving.destroy();
    await until(() => heard.includes("left"));
  });

  it("is drained with the mesh: what runs is answered, and callers are sent away", async () => {
    const { port } = await make();
    await ask(protocol, port, "/echo");
    const { cut } = await mesh.drain({ timeoutMs: 5_000 });
    expect(cut).toBe(0);
    await expect(ask(protocol, port, "/echo")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });
});

describe("mesh.fastify()", () => {
  it("serves http2", async () => {
    const app = fastify({ http2: true });
    app.register(mesh.fastify());
    app.get("/", () => mesh.signal()?.aborted ?? "no context");
    await app.listen({ port: 0, host: "127.0.0.1" });
    const answer = await ask("http2", (app.server.address() as AddressInfo).port, "/");
    expect([answer.text, (await inbound()).requests]).toEqual(["false", 1]);
  });

  it("puts what inject() makes into context, and does not wait for its end", async () => {
    const app = fastify();
    app.register(mesh.fastify());
    app.get("/", (request) => ({ seen: request.headers["x-inmesh-timeout-ms"] ?? null }));
    const { body } = await app.inject({ url: "/", headers: { "x-inmesh-timeout-ms": "5" } });
    expect([body, await inbound()]).toEqual(['{"seen":null}', expect.objectContaining({ requests: 0, inFlight: 0 })]);
    await app.close();
  });
});

describe("mesh.handler()", () => {
  it("takes a listener of node:http2", async () => {
    const server = createHttp2Server(
      mesh.handler((_request, response) => response.end(String(mesh.signal()?.aborted))),
    );
    const port = await listening(server.listen(0, "127.0.0.1"));
    const texts = [await ask("http2", port, "/"), await ask("http2", port, "/")].map(({ text }) => text);
    expect([texts, (await inbound()).requests]).toEqual([["false", "false"], 2]);
    await until(() => registry.leases("web").some(({ ports }) => ports["http2"] === port));
    server.close();
  });
});

describe.each(["express", "fastify", "handler"])("--import and mesh.%s() together", (plugIn) => {
  it("count a request once", async () => {
    expect(registeredMesh()).toBeUndefined(); // of this process; the other one's is what counts
    await using app = new AppProcess({ registry, service: "both", program: ["both.mjs", plugIn] });
    const port = await app.port();
    for (let n = 0; n < 3; n++) expect((await ask("http", port, "/")).text).toBe("in context");
    const [lease] = await until(() => registry.leases("both").length === 1 && registry.leases("both"));
    const stats = await (await fetch(`${lease?.admin}/stats`)).json();
    expect([stats.inbound.requests, lease?.ports, app.errors]).toEqual([3, { http: port }, ""]);
  });
});
