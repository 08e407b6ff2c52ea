/** Every copy of undici that a process may hold, and Node's own inside fetch: all of them reach the mesh. */

import { createRequire } from "node:module";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { installGlobalDispatcher, patchUndici } from "../src/internal.js";
import { closedPort, type FakeMesh, fakeMesh, listen, retries, type TestServer } from "./mesh.js";

type Undici = typeof import("undici");
const require = createRequire(import.meta.url);
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
const COPIES = ["undici6", "undici", ...(major > 22 || (major === 22 && minor >= 19) ? ["undici8"] : [])] as const;

let server: TestServer;
let mesh: FakeMesh;
const undos: (() => void)[] = [];

beforeEach(async () => {
  server = await listen(async (req, res) => {
    let body = "";
    for await (const chunk of req) body += chunk;
    res.setHeader("x-twice", ["1", "2"]);
    res.end(JSON.stringify({ method: req.method, url: req.url, host: req.headers.host, a: req.headers["a"], body }));
  });
  mesh = fakeMesh({
    reviews: { endpoints: [await closedPort(), server.port], retry: retries(2, ["connect-failure"]) },
    empty: { endpoints: [] },
    old: {
      endpoints: [],
      route: { action: { kind: "redirect", status: 302, location: () => "http://reviews/landed" } },
    },
  });
});
afterEach(async () => {
  for (const undo of undos.splice(0).reverse()) undo();
  await mesh.close();
  await server[Symbol.asyncDispose]();
});

describe.each(COPIES)("npm's %s", (name) => {
  const load = () => require(name) as Undici;

  it.each<[string, (undici: Undici) => object]>([
    ["the global dispatcher", () => ({})],
    ["an Agent of its own", ({ Agent }) => ({ dispatcher: new Agent() })],
    ["a Pool", ({ Pool }) => ({ dispatcher: new Pool("http://reviews") })],
    ["a Client", ({ Client }) => ({ dispatcher: new Client("http://reviews") })],
    ["a RetryAgent", ({ Agent, RetryAgent }) => ({ dispatcher: new RetryAgent(new Agent()) })],
    ["interceptors", ({ Agent, interceptors }) => ({ dispatcher: new Agent().compose(interceptors.retry()) })],
  ])("reaches the mesh through %s", async (_, make) => {
    undos.push(installGlobalDispatcher(mesh.client), patchUndici(mesh.client));
    const undici = load();
    const options = { method: "POST", body: "text", headers: { a: "1" }, ...make(undici) } as never;
    const { statusCode, headers, body } = await undici.request("http://reviews/a?b", options);
    expect([statusCode, headers["x-twice"]]).toEqual([200, ["1", "2"]]);
    expect(await body.json()).toEqual({ method: "POST", url: "/a?b", host: "reviews", a: "1", body: "text" });
    expect(mesh.calls).toHaveLength(1);
  });

  it("fetches, streams both ways and is told why in an answer", async () => {
    undos.push(installGlobalDispatcher(mesh.client), patchUndici(mesh.client));
    const undici = load();
    const fetched = await undici.fetch("http://reviews/x", { method: "PUT", body: "text" });
    expect(await fetched.json()).toMatchObject({ method: "PUT", body: "text" });
    const streamed = await undici.request("http://reviews/", { method: "PUT", body: Readable.from(["te", "xt"]) });
    expect(await streamed.body.json()).toMatchObject({ body: "text" });
    const failed = await undici.fetch("http://empty/");
    expect([failed.status, await failed.text()]).toEqual([503, expect.stringMatching(/^no healthy upstream\n/)]);
    const reason = new Error("mine");
    await expect(undici.fetch("http://reviews/", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it("fetches with a Content-Length that the caller gives, to the mesh and past it", async () => {
    undos.push(installGlobalDispatcher(mesh.client), patchUndici(mesh.client));
    const headers = { "Content-Length": "4" };
    for (const url of ["http://reviews/", `http://127.0.0.1:${server.port}/`]) {
      const sent = await load().fetch(url, { method: "POST", body: "text", headers });
      expect(await sent.json()).toMatchObject({ body: "text" });
      const emptied = await load().fetch(url, { method: "DELETE", body: "", headers: { "content-length": "0" } });
      expect(emptied.status).toBe(200);
    }
  });

  it("sends forms of its own, to the mesh and past it", async () => {
    undos.push(installGlobalDispatcher(mesh.client), patchUndici(mesh.client));
    const { request, FormData: Form } = load();
    const body = new Form();
    body.set("k", "v");
    body.set("f", new Blob(["in a file"]), "f.txt");
    for (const url of ["http://reviews/", `http://127.0.0.1:${server.port}/`]) {
      const sent = await request(url, { method: "POST", body });
      const { body: received } = (await sent.body.json()) as { body: string };
      expect(received).toMatch(/name="k"\r\n\r\nv\r\n[\s\S]*filename="f.txt"[\s\S]*in a file/);
    }
  });

  it("keeps its mocks and proxies in charge", async () => {
    undos.push(installGlobalDispatcher(mesh.client), patchUndici(mesh.client));
    const { MockAgent, ProxyAgent, request } = load();
    const mock = new MockAgent();
    mock.disableNetConnect();
    mock.get("http://reviews").intercept({ path: "/" }).reply(200, "mocked");
    const mocked = await request("http://reviews/", { dispatcher: mock });
    expect(await mocked.body.text()).toBe("mocked");
    const seen: (string | undefined)[] = [];
    const proxy = await listen((_, res) => void res.end());
    proxy.server.on("connect", (req, socket) => {
      seen.push(req.url);
      socket.end("HTTP/1.1 403 No\r\n\r\n");
    });
    const dispatcher = new ProxyAgent({ uri: `http://127.0.0.1:${proxy.port}`, proxyTunnel: true } as never);
    await expect(request("http://reviews/", { dispatcher })).rejects.toThrow();
    expect([seen, mesh.calls.length]).toEqual([["reviews:80"], 0]);
    await proxy[Symbol.asyncDispose]();
  });

  it("lets an application install a global dispatcher, which then serves fetch and the mesh", async () => {
    undos.push(installGlobalDispatcher(mesh.client), patchUndici(mesh.client));
    const undici = load();
    const before = undici.getGlobalDispatcher();
    undici.setGlobalDispatcher(new undici.Agent());
    try {
      expect(await (await undici.fetch("http://reviews/x")).json()).toMatchObject({ url: "/x" });
    } finally {
      undici.setGlobalDispatcher(before);
    }
    expect(mesh.calls).toHaveLength(1);
  });

  it("refuses requests itself once it is closed", async () => {
    undos.push(patchUndici(mesh.client));
    const { Client } = load();
    const client = new Client("http://reviews");
    await client.close();
    await expect(client.request({ path: "/", method: "GET" })).rejects.toMatchObject({
      code: expect.stringMatching(/CLOSED|DESTROYED/),
    });
  });
});

it("follows redirects where undici 6 is told to", async () => {
  undos.push(installGlobalDispatcher(mesh.client), patchUndici(mesh.client));
  const { request, Agent, Pool } = require("undici6") as Undici;
  for (const dispatcher of [undefined, new Agent(), new Pool("http://old")]) {
    const options = { maxRedirections: 2, ...(dispatcher && { dispatcher }) } as never;
    const { body } = await request("http://old/", options);
    expect(await body.json()).toMatchObject({ url: "/landed" });
  }
  const failing = request("http://empty/", { throwOnError: true } as never);
  await expect(failing).rejects.toMatchObject({ statusCode: 503 });
});

/** As if it had been there first: whichever file of this process made the first request has decided on that. */
function installBefore({ Agent, getGlobalDispatcher, setGlobalDispatcher }: Undici): void {
  const before = getGlobalDispatcher();
  setGlobalDispatcher(new Agent());
  undos.push(() => setGlobalDispatcher(before));
}

it.each(COPIES.slice(1))("refuses options of undici 6 where %s does", async (name) => {
  const undici = require(name) as Undici;
  const { request, Agent, Pool } = undici;
  installBefore(undici);
  undos.push(installGlobalDispatcher(mesh.client), patchUndici(mesh.client));
  for (const url of ["http://reviews/", "http://nowhere.test/"]) {
    for (const dispatcher of [undefined, new Agent(), new Pool(new URL(url).origin)]) {
      for (const option of [{ maxRedirections: 2 }, { throwOnError: true }]) {
        const options = { ...option, ...(dispatcher && { dispatcher }) } as never;
        await expect(request(url, options)).rejects.toMatchObject({ code: "UND_ERR_INVALID_ARG" });
      }
    }
  }
});

it("takes options of undici 6 from later copies where an Agent of undici 6 was there first, as Node 20's fetch leaves one", async () => {
  installBefore(require("undici6") as Undici);
  undos.push(installGlobalDispatcher(mesh.client), patchUndici(mesh.client));
  const { request } = require("undici") as Undici;
  const { body } = await request("http://old/", { maxRedirections: 2 } as never);
  expect(await body.json()).toMatchObject({ url: "/landed" });
  expect((await request("http://empty/", { throwOnError: true } as never)).statusCode).toBe(503);
  const past = `http://127.0.0.1:${server.port}/past`;
  expect(await (await request(past, { maxRedirections: 2 } as never)).body.json()).toMatchObject({ url: "/past" });
  mesh.publish({
    out: { endpoints: [], route: { action: { kind: "redirect", status: 302, location: () => past } } },
  });
  const led = await request("http://out/", { maxRedirections: 2 } as never);
  expect(await led.body.json()).toMatchObject({ url: "/past" });
});

describe("the global fetch", () => {
  it("reaches the mesh, with every kind of body", async () => {
    undos.push(installGlobalDispatcher(mesh.client));
    const form = new FormData();
    form.set("k", "v");
    const bodies: [unknown, RegExp][] = [
      ["text", /^text$/],
      [new URLSearchParams({ a: "b" }), /^a=b$/],
      [new Blob(["blob"]), /^blob$/],
      [form, /name="k"\r\n\r\nv/],
      [new Blob(["stream"]).stream(), /^stream$/],
    ];
    for (const [body, expected] of bodies) {
      const fetched = await fetch("http://reviews/", { method: "POST", body, duplex: "half" } as never);
      expect(fetched).toBeInstanceOf(Response);
      expect(((await fetched.json()) as { body: string }).body).toMatch(expected);
    }
    expect(mesh.calls).toHaveLength(bodies.length);
  });

  it("follows redirects, clones, aborts and reads trailers of nothing", async () => {
    undos.push(installGlobalDispatcher(mesh.client));
    const followed = await fetch("http://old/");
    const clone = followed.clone();
    expect([followed.redirected, followed.url]).toEqual([true, "http://reviews/landed"]);
    expect(await clone.json()).toEqual(await followed.json());
    const controller = new AbortController();
    const reason = new Error("mine");
    const asked = fetch("http://reviews/", { signal: controller.signal });
    controller.abort(reason);
    await expect(asked).rejects.toBe(reason);
  });

  it("offers what people call on a global dispatcher", async () => {
    undos.push(installGlobalDispatcher(mesh.client));
    const { getGlobalDispatcher, interceptors, request } = require("undici") as Undici;
    const dispatcher = getGlobalDispatcher();
    const composed = dispatcher.compose(interceptors.redirect({ maxRedirections: 1 }));
    expect(await (await request("http://old/", { dispatcher: composed })).body.json()).toMatchObject({
      url: "/landed",
    });
    const own = await dispatcher.request({ origin: "http://reviews", path: "/own", method: "GET" });
    expect(await own.body.json()).toMatchObject({ url: "/own" });
    await dispatcher.close();
    expect(await (await fetch("http://reviews/after")).json()).toMatchObject({ url: "/after" });
  });

  it("loads undici with the first request only", () => {
    let loads = 0;
    const { client } = fakeMesh({});
    const lazy = Object.create(client, { plain: { get: () => ++loads } });
    const undo = installGlobalDispatcher(lazy);
    expect((globalThis as unknown as Record<symbol, unknown>)[Symbol.for("undici.globalDispatcher.1")]).toBeDefined();
    expect(loads).toBe(0);
    undo();
  });
});
