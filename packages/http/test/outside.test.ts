/** Hosts that are none of the mesh's: the same request, with and without a mesh, must come to the same. */

import http from "node:http";
import { Agent, request } from "undici";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { installGlobalDispatcher, patchHttp, patchUndici } from "../src/internal.js";
import { closedPort, type FakeMesh, fakeMesh, listen, type TestServer } from "./mesh.js";

let server: TestServer;
let closed: number;
let mesh: FakeMesh;
const undos: (() => void)[] = [];

beforeAll(async () => {
  server = await listen(async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk);
    if (req.url === "/reset") return void req.socket.destroy();
    if (req.url === "/cut") {
      res.writeHead(200, { "content-length": 10 });
      res.write("half");
      return void setTimeout(() => req.socket.destroy(), 10);
    }
    if (req.url === "/redirect") return void res.writeHead(302, { location: "/landed" }).end();
    if (req.url === "/204") return void res.writeHead(204).end();
    res.writeHead(req.url === "/404" ? 404 : 200, { "x-twice": ["1", "2"], "content-type": "application/json" });
    const headers = Object.fromEntries(Object.entries(req.headers).filter(([name]) => name !== "content-type"));
    res.end(JSON.stringify({ method: req.method, url: req.url, headers, body: Buffer.concat(chunks).toString() }));
  });
  closed = await closedPort();
  mesh = fakeMesh({ reviews: { endpoints: [] } });
});
afterEach(() => {
  for (const undo of undos.splice(0).reverse()) undo();
});
afterAll(async () => {
  await mesh.close();
  await server[Symbol.asyncDispose]();
});

const at = (path: string) => `http://127.0.0.1:${server.port}${path}`;

type Ask = () => Promise<unknown>;

function describeError(error: unknown): unknown {
  const { name, message, code, cause } = error as Error & { code?: string };
  return {
    name,
    message: message.replace(/\d{4,}/g, "N"),
    code,
    cause: cause === undefined ? undefined : describeError(cause),
  };
}

async function outcome(ask: Ask): Promise<unknown> {
  try {
    return await ask();
  } catch (error) {
    return describeError(error);
  }
}

const FETCHES: readonly [string, () => string, RequestInit?][] = [
  ["a GET", () => at("/a?b=c")],
  ["headers", () => at("/"), { headers: { a: "1", b: "2" } }],
  ["a POST", () => at("/"), { method: "POST", body: "text" }],
  ["a stream", () => at("/"), { method: "POST", body: new Blob(["x"]).stream(), duplex: "half" } as RequestInit],
  ["HEAD", () => at("/"), { method: "HEAD" }],
  ["404", () => at("/404")],
  ["204", () => at("/204")],
  ["a redirect", () => at("/redirect")],
  ["a redirect not followed", () => at("/redirect"), { redirect: "manual" }],
  ["a peer that resets", () => at("/reset")],
  ["an answer cut in the middle", () => at("/cut")],
  ["a port where nobody listens", () => `http://127.0.0.1:${closed}/`],
  ["a name that does not exist", () => "http://nowhere.invalid/"],
  ["an aborted signal", () => at("/"), { signal: AbortSignal.abort(new Error("mine")) }],
  ["a URL that is none", () => "http://"],
  ["a header that is none", () => at("/"), { headers: { a: "b\nc" } }],
];

describe("fetch", () => {
  it.each(FETCHES)("treats %s as without a mesh", async (name, url, init) => {
    const ask: Ask = async () => {
      const body = name === "a stream" ? { body: new Blob(["x"]).stream() } : {};
      const {
        status,
        statusText,
        headers,
        redirected,
        body: stream,
        ...rest
      } = await fetch(url(), { ...init, ...body });
      void rest;
      const lines = [...headers].filter(([key]) => key !== "date");
      return {
        status,
        statusText,
        redirected,
        lines,
        text: stream === null ? null : await new Response(stream).text(),
      };
    };
    const bare = await outcome(ask);
    undos.push(installGlobalDispatcher(mesh.client), patchUndici(mesh.client));
    expect(await outcome(ask)).toEqual(bare);
    expect(mesh.calls).toHaveLength(0);
  });
});

describe("undici with a dispatcher of the application's own", () => {
  it.each(FETCHES.filter(([name]) => !/redirect|stream|signal|none/.test(name)))(
    "treats %s alike",
    async (_, url, init) => {
      const agent = new Agent();
      const ask: Ask = async () => {
        const { statusCode, headers, trailers, body } = await request(url(), {
          ...(init as object),
          dispatcher: agent,
        });
        delete headers["date"];
        return { statusCode, headers, trailers, text: await body.text() };
      };
      const bare = await outcome(ask);
      undos.push(patchUndici(mesh.client));
      expect(await outcome(ask)).toEqual(bare);
      await agent.close();
    },
  );
});

const NODES: readonly [string, () => [string | object, object?], string?][] = [
  ["a GET", () => [at("/a?b=c")]],
  ["options", () => [{ host: "127.0.0.1", port: server.port, path: "/x", headers: { a: ["1", "2"] } }]],
  ["a URL and options", () => [at("/x"), { method: "POST", headers: { a: "1" } }], "body"],
  ["an agent", () => [at("/x"), { agent: new http.Agent({ keepAlive: false }) }]],
  ["a reset", () => [at("/reset")]],
  ["a port where nobody listens", () => [`http://127.0.0.1:${closed}/`]],
  ["a path that is none", () => [{ host: "reviews", path: "/a b" }]],
  ["a URL that is none", () => ["nonsense"]],
  ["a protocol that is not served", () => ["ftp://127.0.0.1/"]],
];

describe("node:http", () => {
  it.each(NODES)("treats %s as without a mesh", async (_, args, body) => {
    const ask: Ask = () =>
      new Promise((resolve, reject) => {
        const sent = http.request(...(args() as [string]), (response: http.IncomingMessage) => {
          const { statusCode, headers } = response;
          delete headers.date;
          let text = "";
          response.setEncoding("utf8").on("data", (chunk) => {
            text += chunk;
          });
          response.on("end", () => resolve({ kind: sent.constructor.name, statusCode, headers, text }));
        });
        sent.on("error", reject);
        sent.end(body);
      });
    const bare = await outcome(ask);
    undos.push(patchHttp(mesh.client));
    expect(await outcome(ask)).toEqual(bare);
  });
});

describe("REGISTRY_ONLY", () => {
  it("refuses hosts it does not know, but not loopback", async () => {
    const strict = fakeMesh({ reviews: { endpoints: [] } }, { outboundPolicy: "REGISTRY_ONLY" });
    const refused = await request("http://example.com/", { dispatcher: strict.dispatcher });
    expect([refused.statusCode, refused.headers["x-inmesh-error"]]).toEqual([502, "HOST_UNKNOWN"]);
    expect(await refused.body.text()).toMatch(/"example\.com" port 80 is not in the registry/);
    const address = await request("http://192.0.2.1/", { dispatcher: strict.dispatcher });
    await address.body.dump();
    expect(address.statusCode).toBe(502);
    const local = await request(at("/x"), { dispatcher: strict.dispatcher });
    expect([local.statusCode, await local.body.json()]).toMatchObject([200, { url: "/x" }]);
    await strict.close();
  });
});

describe("undo", () => {
  it("leaves everything as it was", async () => {
    const undici = await import("undici");
    const symbols = [Symbol.for("undici.globalDispatcher.1"), Symbol.for("undici.globalDispatcher.2")];
    const owner = Object.getPrototypeOf(Object.getPrototypeOf(undici.Pool.prototype));
    const look = () => [
      http.request,
      http.get,
      http.ClientRequest,
      ...symbols.map((symbol) => (globalThis as unknown as Record<symbol, unknown>)[symbol]),
      owner.dispatch,
      undici.ProxyAgent.prototype.dispatch,
    ];
    const before = look();
    const patched = [installGlobalDispatcher(mesh.client), patchHttp(mesh.client), patchUndici(mesh.client)];
    expect(look().every((each, index) => each !== before[index])).toBe(true);
    for (const undo of patched.reverse()) undo();
    expect(look().every((each, index) => each === before[index])).toBe(true);
  });
});
