import { once } from "node:events";
import { type IncomingMessage, maxHeaderSize } from "node:http";
import { Readable } from "node:stream";
import type { Call } from "@inmesh/core";
import { MeshError } from "@inmesh/core";
import { interceptors, request } from "undici";
import { afterEach, describe, expect, it } from "vitest";
import { createFetch } from "../src/index.js";
import { closedPort, type FakeMesh, type FakeService, fakeMesh, listen, listenTcp, retries, until } from "./mesh.js";

const cleanups: (() => PromiseLike<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function meshOf(services?: Record<string, FakeService>, options?: Parameters<typeof fakeMesh>[1]): FakeMesh {
  const mesh = fakeMesh(services, options);
  cleanups.push(() => mesh.close());
  return mesh;
}

async function echo(mesh?: { status?: number }) {
  const server = await listen(async (req, res) => {
    const body = await text(req);
    res.writeHead(mesh?.status ?? 200, { "x-twice": ["1", "2"] });
    res.end(JSON.stringify({ method: req.method, url: req.url, headers: req.rawHeaders, body }));
  });
  cleanups.push(() => server[Symbol.asyncDispose]());
  return server;
}

async function text(stream: AsyncIterable<unknown>): Promise<string> {
  let all = "";
  for await (const chunk of stream) all += chunk;
  return all;
}

/** What a caller of either shape hears. */
interface Heard {
  events: string[];
  status: number;
  headers: string[];
  body: string;
  error: unknown;
}

const SHAPES = {
  old: (heard: Heard, done: () => void, hooks: { abort?: (abort: (reason?: unknown) => void) => void } = {}) => ({
    onConnect(abort: (reason?: unknown) => void) {
      heard.events.push("connect");
      hooks.abort?.(abort);
    },
    onHeaders(status: number, headers: (Buffer | string)[], _resume: () => void, statusText: string) {
      heard.events.push(status < 200 ? `info ${status}` : `head ${statusText}`);
      heard.status = status;
      heard.headers = headers.map(String);
      return true;
    },
    onData(chunk: Buffer) {
      heard.body += chunk;
      return true;
    },
    onComplete() {
      heard.events.push("end");
      done();
    },
    onError(error: unknown) {
      heard.events.push("error");
      heard.error = error;
      done();
    },
  }),
  new: (heard: Heard, done: () => void, hooks: { abort?: (abort: (reason?: unknown) => void) => void } = {}) => ({
    onRequestStart(controller: { abort(reason?: unknown): void }) {
      heard.events.push("connect");
      hooks.abort?.((reason) => controller.abort(reason));
    },
    onResponseStart(controller: { rawHeaders: Buffer[] }, status: number, _headers: object, statusText: string) {
      heard.events.push(status < 200 ? `info ${status}` : `head ${statusText}`);
      heard.status = status;
      heard.headers = controller.rawHeaders.map(String);
    },
    onResponseData(_controller: unknown, chunk: Buffer) {
      heard.body += chunk;
    },
    onResponseEnd() {
      heard.events.push("end");
      done();
    },
    onResponseError(_controller: unknown, error: unknown) {
      heard.events.push("error");
      heard.error = error;
      done();
    },
  }),
};

function dispatch(
  mesh: FakeMesh,
  shape: keyof typeof SHAPES,
  options: object,
  abort?: (abort: (reason?: unknown) => void) => void,
): Promise<Heard> {
  const heard: Heard = { events: [], status: 0, headers: [], body: "", error: undefined };
  return new Promise((resolve) => {
    const handler = SHAPES[shape](heard, () => resolve(heard), abort === undefined ? {} : { abort });
    mesh.dispatcher.dispatch(
      { origin: "http://reviews", path: "/", method: "GET", ...options } as never,
      handler as never,
    );
  });
}

describe.each(["old", "new"] as const)("a caller with a handler of the %s shape", (shape) => {
  it("gets the answer of an endpoint", async () => {
    const server = await echo();
    const mesh = meshOf({ reviews: { endpoints: [server.port] } });
    const heard = await dispatch(mesh, shape, { path: "/a", query: { b: "c" } });
    expect(heard).toMatchObject({ events: ["connect", "head OK", "end"], status: 200 });
    expect(JSON.parse(heard.body)).toMatchObject({ method: "GET", url: "/a?b=c" });
    const lines = heard.headers.filter((_each, index) => heard.headers[index - (index % 2)] === "x-twice" && index % 2);
    expect(lines).toEqual(["1", "2"]);
  });

  it("gets an answer of the mesh's own, after dispatch has returned", async () => {
    const mesh = meshOf({ reviews: { endpoints: [] } });
    let returned = false;
    const answered = dispatch(mesh, shape, {}).then((heard) => [returned, heard] as const);
    returned = true;
    const [after, heard] = await answered;
    expect([after, heard.events, heard.status]).toEqual([true, ["connect", "head Service Unavailable", "end"], 503]);
    expect(heard.headers).toContain("NO_ENDPOINT");
    expect(heard.body).toMatch(/^no healthy upstream\n.*NO_ENDPOINT/s);
  });

  it("gets the headers of the rule on the mesh's own answers, too, which stay what they are", async () => {
    const responseHeaders = { remove: ["content-type"], set: [["x-set", "s1"] as const], add: [] };
    const mesh = meshOf({ reviews: { endpoints: [], route: { responseHeaders } } });
    const { headers, status } = await dispatch(mesh, shape, {});
    expect([status, headers]).toEqual([503, expect.arrayContaining(["x-set", "s1", "content-type", "NO_ENDPOINT"])]);
  });

  it.each([["HEAD"], ["GET"]])("gets no body with a local answer to HEAD (%s)", async (method) => {
    const mesh = meshOf({ reviews: { endpoints: [] } });
    const heard = await dispatch(mesh, shape, { method });
    expect(heard.body === "").toBe(method === "HEAD");
  });

  it("hears its own reason when it aborts at once", async () => {
    const server = await echo();
    const mesh = meshOf({ reviews: { endpoints: [server.port] } });
    const reason = new Error("mine");
    const heard = await dispatch(mesh, shape, {}, (abort) => abort(reason));
    expect([heard.events, heard.error === reason]).toEqual([["connect", "error"], true]);
    expect(server.accepted()).toBe(0);
  });

  it.each([
    ["while nobody answers", false],
    ["while connecting", true],
  ])("hears its own reason when it aborts %s", async (_, soon) => {
    const mesh = meshOf({ reviews: { endpoints: [(await hanging()).port] } });
    const reason = { not: "even an error" };
    const heard = await dispatch(mesh, shape, {}, (abort) => {
      if (soon) process.nextTick(abort, reason);
      else setTimeout(() => abort(reason), 30);
    });
    expect(mesh.calls[0]?.attempt?.sent).toBe(!soon);
    expect([heard.events, heard.error]).toEqual([["connect", "error"], reason]);
    expect(mesh.calls[0]).toMatchObject({ ended: true, noRetry: "aborted" });
  });

  it("is not heard by anybody once it aborted while connecting, and the connection serves the next", async () => {
    const seen: (string | undefined)[] = [];
    const server = await listen((req, res) => {
      seen.push(req.url);
      res.end("ok");
    });
    cleanups.push(() => server[Symbol.asyncDispose]());
    const mesh = meshOf({ reviews: { endpoints: [server.port] } });
    const options = { path: "/aborted", method: "POST", body: "order" };
    await dispatch(mesh, shape, options, (abort) => process.nextTick(abort, new Error("mine")));
    await until(() => server.accepted() === 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await dispatch(mesh, shape, { path: "/next" });
    expect([seen, server.accepted()]).toEqual([["/next"], 1]);
  });

  it("hears its own reason when it aborts during the wait before a retry", async () => {
    const port = await closedPort();
    const retry = retries(3, ["connect-failure"], { backoffBaseMs: 60_000, backoffMaxMs: 60_000 });
    const mesh = meshOf({ reviews: { endpoints: [port], retry } });
    const reason = new Error("enough");
    const heard = await dispatch(mesh, shape, {}, (abort) => setTimeout(() => abort(reason), 50));
    expect([heard.error === reason, mesh.calls[0]?.attempts]).toEqual([true, 1]);
  });

  it("hears its own reason when it aborts in the middle of the answer", async () => {
    const dropped: boolean[] = [];
    const server = await listen((_, res) => {
      res.write("half");
      res.on("close", () => dropped.push(!res.writableEnded));
    });
    cleanups.push(() => server[Symbol.asyncDispose]());
    const mesh = meshOf({ reviews: { endpoints: [server.port] } });
    const reason = new Error("enough");
    const heard = await dispatch(mesh, shape, {}, (abort) => setTimeout(() => abort(reason), 60));
    expect([heard.events, heard.body, heard.error === reason]).toEqual([["connect", "head OK", "error"], "half", true]);
    await until(() => dropped.length === 1);
  });

  it("hears an error when the answer is cut in the middle", async () => {
    const server = await listenTcp((socket) => {
      socket.on("data", () => {
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
        setTimeout(() => socket.destroy(), 20);
      });
    });
    cleanups.push(() => server[Symbol.asyncDispose]());
    const mesh = meshOf({ reviews: { endpoints: [server.port], retry: retries(2, ["5xx", "reset"]) } });
    const heard = await dispatch(mesh, shape, {});
    expect([heard.events, heard.body]).toEqual([["connect", "head OK", "error"], "half"]);
    expect(heard.error).toMatchObject({ code: "RESPONSE_TRUNCATED" });
    expect(server.accepted()).toBe(1);
  });

  it("hears of informational answers", async () => {
    const server = await listen((_, res) => {
      res.writeEarlyHints({ link: "</a>; rel=preload" });
      res.end("ok");
    });
    cleanups.push(() => server[Symbol.asyncDispose]());
    const mesh = meshOf({ reviews: { endpoints: [server.port] } });
    expect((await dispatch(mesh, shape, {})).events).toEqual(["connect", "info 103", "head OK", "end"]);
  });

  it("hears undici's error for an answer with larger headers than Node takes, which is not asked for again", async () => {
    const large = { "x-large": "x".repeat(2 * maxHeaderSize) };
    const server = await listen((_, res) => void res.writeHead(200, large).end());
    cleanups.push(() => server[Symbol.asyncDispose]());
    const mesh = meshOf({ reviews: { endpoints: [server.port], retry: retries(2, ["5xx", "reset"]) } });
    expect((await dispatch(mesh, shape, {})).error).toMatchObject({ code: "UND_ERR_HEADERS_OVERFLOW" });
    expect(mesh.calls[0]?.attempts).toBe(1);
  });

  it("hears undici's error for headers that are none", async () => {
    const mesh = meshOf({ reviews: { endpoints: [1] } });
    const odd = await dispatch(mesh, shape, { headers: ["odd"] });
    expect(odd.error).toMatchObject({ code: "UND_ERR_INVALID_ARG" });
    const control = await dispatch(mesh, shape, { headers: { a: "b\r\nc: d" } });
    expect(control.error).toMatchObject({ code: "UND_ERR_INVALID_ARG" });
  });
});

describe("an answer that pauses", () => {
  const chunks = ["one ", "two ", "three"];

  async function slowServer() {
    const server = await listen(async (_, res) => {
      for (const chunk of chunks) {
        res.write(chunk);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      res.end();
    });
    cleanups.push(() => server[Symbol.asyncDispose]());
    return server;
  }

  it.each(["endpoint", "mesh"])("waits for resume, old shape, answered by the %s", async (by) => {
    const server = await slowServer();
    const mesh = meshOf({ reviews: { endpoints: by === "endpoint" ? [server.port] : [] } });
    let resume: () => void = () => {};
    let paused = true;
    const early: string[] = [];
    let body = "";
    await new Promise<void>((resolve, reject) => {
      mesh.dispatcher.dispatch({ origin: "http://reviews", path: "/", method: "GET" }, {
        onConnect() {},
        onHeaders(_status: number, _headers: unknown, go: () => void) {
          resume = go;
          setTimeout(() => {
            paused = false;
            resume();
          }, 60);
          return false;
        },
        onData(chunk: Buffer) {
          if (paused) early.push(String(chunk));
          body += chunk;
          paused = true;
          setImmediate(() => {
            paused = false;
            resume();
          });
          return false;
        },
        onComplete: () => resolve(),
        onError: reject,
      } as never);
    });
    expect(early).toEqual([]);
    if (by === "endpoint") expect(body).toBe(chunks.join(""));
    else expect(body).toMatch(/^no healthy upstream/);
  });

  it.each(["endpoint", "mesh"])("waits for resume, new shape, answered by the %s", async (by) => {
    const server = await slowServer();
    const mesh = meshOf({ reviews: { endpoints: by === "endpoint" ? [server.port] : [] } });
    const early: string[] = [];
    let body = "";
    await new Promise<void>((resolve, reject) => {
      mesh.dispatcher.dispatch({ origin: "http://reviews", path: "/", method: "GET" }, {
        onRequestStart() {},
        onResponseStart(controller: { pause(): void; resume(): void }) {
          controller.pause();
          setTimeout(() => controller.resume(), 60);
        },
        onResponseData(controller: { paused: boolean; pause(): void; resume(): void }, chunk: Buffer) {
          if (controller.paused) early.push(String(chunk));
          body += chunk;
          controller.pause();
          setImmediate(() => controller.resume());
        },
        onResponseEnd: () => resolve(),
        onResponseError: (_: unknown, error: Error) => reject(error),
      } as never);
    });
    expect(early).toEqual([]);
    if (by === "endpoint") expect(body).toBe(chunks.join(""));
    else expect(body).toMatch(/^no healthy upstream/);
  });

  it("holds a large answer back from a reader that does not read", async () => {
    let written = 0;
    const server = await listen((_, res) => {
      const block = Buffer.alloc(64 * 1024);
      const more = () => {
        while (written < 400) {
          written += 1;
          if (!res.write(block)) return void res.once("drain", more);
        }
        res.end();
      };
      more();
    });
    cleanups.push(() => server[Symbol.asyncDispose]());
    const mesh = meshOf({ reviews: { endpoints: [server.port] } });
    const { body } = await request("http://reviews/", { dispatcher: mesh.dispatcher });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(written).toBeLessThan(200); // of 25 MB most is still at the server
    let read = 0;
    for await (const chunk of body) read += chunk.length;
    expect(read).toBeGreaterThanOrEqual(400 * 64 * 1024);
  });
});

describe("the request", () => {
  it("goes out with every line of its headers, and with the authority as host", async () => {
    const server = await echo();
    const mesh = meshOf({ reviews: { endpoints: [server.port] } });
    const headers = Object.freeze({ a: Object.freeze(["1", "2"]), Host: "Other.example" });
    const { body } = await request("http://reviews/", { dispatcher: mesh.dispatcher, headers: headers as never });
    const { headers: sent } = (await body.json()) as { headers: string[] };
    const pairs = sent.flatMap((each, index) => (index % 2 === 0 ? [`${each}: ${sent[index + 1]}`] : []));
    expect(pairs).toEqual(expect.arrayContaining(["host: Other.example", "a: 1", "a: 2"]));
    expect(pairs.filter((pair) => /^host:/i.test(pair))).toHaveLength(1);
  });

  it.each<[string, () => unknown, string]>([
    ["a string", () => "text", "text"],
    ["a Buffer", () => Buffer.from("text"), "text"],
    ["a Uint8Array", () => new TextEncoder().encode("text"), "text"],
    ["a Readable", () => Readable.from(["te", "xt"]), "text"],
    ["an iterable", () => ["te", "xt"], "text"],
    ["a generator", () => (async function* () { yield "te"; yield "xt"; })(), "text"], // biome-ignore format: one line each
    ["a Blob", () => new Blob(["text"]), "text"],
    ["nothing", () => null, ""],
  ])("carries %s as its body", async (_, body, expected) => {
    const server = await echo();
    const mesh = meshOf({ reviews: { endpoints: [server.port] } });
    const sent = await request("http://reviews/", {
      dispatcher: mesh.dispatcher,
      method: "POST",
      body: body() as never,
    });
    expect(((await sent.body.json()) as { body: string }).body).toBe(expected);
  });

  it("carries a form", async () => {
    const server = await echo();
    const mesh = meshOf({ reviews: { endpoints: [server.port] } });
    const form = new FormData();
    form.set("field", "value");
    const fetched = await createFetch(mesh.dispatcher)("http://reviews/", { method: "POST", body: form as never });
    expect(((await fetched.json()) as { body: string }).body).toMatch(/name="field"\r\n\r\nvalue/);
  });

  it("streams a large body at the pace of its reader", async () => {
    let received = 0;
    const server = await listen(async (req, res) => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      for await (const chunk of req) received += chunk.length;
      res.end();
    });
    cleanups.push(() => server[Symbol.asyncDispose]());
    const mesh = meshOf({ reviews: { endpoints: [server.port] } });
    let produced = 0;
    let early = 0;
    const blocks = async function* () {
      for (; produced < 400; produced++) {
        if (received === 0) early = produced;
        yield Buffer.alloc(64 * 1024);
      }
    };
    const { body } = await request("http://reviews/", {
      dispatcher: mesh.dispatcher,
      method: "PUT",
      body: Readable.from(blocks()),
    });
    await body.dump();
    expect(received).toBe(400 * 64 * 1024);
    expect(early).toBeLessThan(300);
  });

  it("fails with the error of a body that breaks", async () => {
    const server = await echo();
    const mesh = meshOf({ reviews: { endpoints: [server.port], retry: retries(3, ["5xx", "reset"]) } });
    const broken = new Error("disk");
    const body = async function* () {
      yield "some";
      throw broken;
    };
    const sending = request("http://reviews/", {
      dispatcher: mesh.dispatcher,
      method: "PUT",
      body: Readable.from(body()),
    });
    await expect(sending).rejects.toBe(broken);
    expect(mesh.calls[0]?.attempts).toBe(1);
  });

  it("destroys its body when the answer comes before the body's end", async () => {
    const server = await listen((_, res) => void res.writeHead(413).end("no"));
    cleanups.push(() => server[Symbol.asyncDispose]());
    const mesh = meshOf({ reviews: { endpoints: [server.port] } });
    const body = new Readable({ read() {} });
    body.push("some");
    const sent = await request("http://reviews/", { dispatcher: mesh.dispatcher, method: "POST", body });
    expect([sent.statusCode, await sent.body.text()]).toEqual([413, "no"]);
    await until(() => body.destroyed);
  });
});

describe("policy", () => {
  it("changes the headers of answers as route and destination say", async () => {
    const server = await echo();
    const ops = { remove: ["x-twice"], set: [["x-set", "1"]], add: [["x-add", "2"]] } as const;
    const mesh = meshOf({ reviews: { endpoints: [server.port], route: { responseHeaders: ops } } });
    const { headers, body } = await request("http://reviews/", { dispatcher: mesh.dispatcher });
    await body.dump();
    expect(headers).toMatchObject({ "x-set": "1", "x-add": "2" });
    expect(headers).not.toHaveProperty("x-twice");
  });

  it("answers a direct response and a redirect itself", async () => {
    const mesh = meshOf({
      reviews: { endpoints: [], route: { action: { kind: "directResponse", status: 418, body: "tea" } } },
      old: {
        endpoints: [],
        route: { action: { kind: "redirect", status: 301, location: () => "http://reviews/new" } },
      },
    });
    const direct = await request("http://reviews/", { dispatcher: mesh.dispatcher });
    expect([direct.statusCode, await direct.body.text()]).toEqual([418, "tea"]);
    const redirected = await createFetch(mesh.dispatcher)("http://old/");
    expect([redirected.status, redirected.redirected, await redirected.text()]).toEqual([418, true, "tea"]);
  });

  it("limits a whole call", async () => {
    const mesh = meshOf({ reviews: { endpoints: [(await hanging()).port], route: { timeoutMs: 50 } } });
    const { statusCode, headers, body } = await request("http://reviews/", { dispatcher: mesh.dispatcher });
    expect([statusCode, headers["x-inmesh-error"]]).toEqual([504, "TIMEOUT"]);
    expect(await body.text()).toMatch(/^upstream request timeout\n/);
  });

  it("breaks off an answer that outlasts the call's limit", async () => {
    const server = await listen((_, res) => void res.write("half"));
    cleanups.push(() => server[Symbol.asyncDispose]());
    const mesh = meshOf({ reviews: { endpoints: [server.port], route: { timeoutMs: 80 } } });
    const { body } = await request("http://reviews/", { dispatcher: mesh.dispatcher });
    await expect(body.text()).rejects.toMatchObject({ code: "TIMEOUT" });
  });

  it.each([
    [1, 6],
    [2, 3],
    [0, 1],
  ])("closes a connection with its last request: %i each", async (maxRequestsPerConnection, connections) => {
    const server = await echo();
    const mesh = meshOf({ reviews: { endpoints: [server.port], connection: { maxRequestsPerConnection } } });
    for (let count = 0; count < 6; count++) {
      const { body } = await request("http://reviews/", { dispatcher: mesh.dispatcher });
      await body.dump();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(server.accepted()).toBe(connections);
  });

  it("reaches an endpoint by the path of its socket", async () => {
    const { createServer } = await import("node:http");
    const { mkdtemp, rm } = await import("node:fs/promises");
    const { tmpdir } = await import("node:os");
    const folder = await mkdtemp(`${tmpdir()}/inmesh-`);
    const server = createServer((_, res) => void res.end("local")).listen(`${folder}/s`);
    await once(server, "listening");
    const endpoint = { id: "s", address: `unix://${folder}/s`, port: 0, weight: 1, labels: {}, workloads: [] };
    const mesh = meshOf({ reviews: { endpoints: [endpoint] } });
    const { body } = await request("http://reviews/", { dispatcher: mesh.dispatcher });
    expect(await body.text()).toBe("local");
    server.closeAllConnections();
    server.close();
    await rm(folder, { recursive: true });
  });
});

describe("around it", () => {
  it("serves undici's other ways to ask", async () => {
    const server = await echo();
    const mesh = meshOf({ reviews: { endpoints: [server.port] } });
    const { stream, pipeline } = await import("undici");
    let streamed = "";
    const { Writable } = await import("node:stream");
    await stream("http://reviews/a", { dispatcher: mesh.dispatcher, method: "GET" } as never, () => {
      return new Writable({
        write(chunk, _, done) {
          streamed += chunk;
          done();
        },
      });
    });
    expect(JSON.parse(streamed).url).toBe("/a");
    const piped = pipeline(
      "http://reviews/b",
      { dispatcher: mesh.dispatcher, method: "PUT" } as never,
      ({ body }) => body,
    );
    piped.end("text");
    expect(JSON.parse(await text(piped)).body).toBe("text");
    expect(
      await (await mesh.dispatcher.request({ origin: "http://reviews", path: "/c", method: "GET" })).body.json(),
    ).toMatchObject({ url: "/c" });
  });

  it("composes with undici's interceptors", async () => {
    const server = await echo();
    const mesh = meshOf({
      reviews: { endpoints: [server.port] },
      old: {
        endpoints: [],
        route: { action: { kind: "redirect", status: 302, location: () => "http://reviews/new" } },
      },
    });
    const dispatcher = mesh.dispatcher.compose(interceptors.redirect({ maxRedirections: 2 }), interceptors.retry());
    const { body } = await request("http://old/", { dispatcher });
    expect(await body.json()).toMatchObject({ url: "/new" });
  });

  it("tunnels an upgrade to one endpoint, untouched by the route's limits", async () => {
    const server = await listen(() => {});
    cleanups.push(() => server[Symbol.asyncDispose]());
    server.server.on("upgrade", (_: IncomingMessage, socket) => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
      socket.pipe(socket);
    });
    const mesh = meshOf({ reviews: { endpoints: [server.port], route: { timeoutMs: 30 } } });
    const { socket } = await mesh.dispatcher.upgrade({
      path: "/",
      protocol: "echo",
      origin: "http://reviews",
    } as never);
    await new Promise((resolve) => setTimeout(resolve, 80));
    socket.write("hello");
    const [chunk] = await once(socket, "data");
    expect(String(chunk)).toBe("hello");
    socket.destroy();
  });

  it("tells an upgrade that cannot be why, and tries it once", async () => {
    const mesh = meshOf({ reviews: { endpoints: [await closedPort()], retry: retries(3, ["connect-failure"]) } });
    const upgrading = mesh.dispatcher.upgrade({ path: "/", protocol: "echo", origin: "http://reviews" } as never);
    await expect(upgrading).rejects.toMatchObject({ code: "CONNECT_FAILED" });
    expect(mesh.calls[0]?.attempts).toBe(1);
  });

  it("lets a service call itself", async () => {
    const holder: { mesh?: FakeMesh } = {};
    const server = await listen(async (req, res) => {
      const depth = Number(req.url?.slice(1));
      if (depth === 0) return void res.end("bottom");
      const { body } = await request(`http://reviews/${depth - 1}`, { dispatcher: holder.mesh!.dispatcher });
      res.end(`${depth} ${await body.text()}`);
    });
    cleanups.push(() => server[Symbol.asyncDispose]());
    holder.mesh = meshOf({ reviews: { endpoints: [server.port] } });
    const { body } = await request("http://reviews/5", { dispatcher: holder.mesh.dispatcher });
    expect(await body.text()).toBe("5 4 3 2 1 bottom");
  });

  it("serves 10,000 calls at once", { timeout: 60_000 }, async () => {
    const server = await listen((_, res) => void setTimeout(() => res.end("ok"), 5));
    cleanups.push(() => server[Symbol.asyncDispose]());
    const patient = { connectTimeoutMs: 60_000 }; // a loop this busy may look after a connection for the first time after ten seconds
    const mesh = meshOf({ reviews: { endpoints: [server.port], connection: patient } });
    const calls = Array.from({ length: 10_000 }, async () => {
      const { statusCode, body } = await request("http://reviews/", { dispatcher: mesh.dispatcher });
      return `${statusCode} ${await body.text()}`;
    });
    expect(new Set(await Promise.all(calls))).toEqual(new Set(["200 ok"]));
    expect(mesh.calls.length).toBe(10_000);
    const state = mesh.calls[0]?.attempt?.endpoint;
    expect([state?.inFlight, state?.attempts]).toEqual([0, 10_000]);
  });

  it("runs two meshes in one process, each with its own view", async () => {
    const one = await listen((_, res) => void res.end("one"));
    const two = await listen((_, res) => void res.end("two"));
    cleanups.push(
      () => one[Symbol.asyncDispose](),
      () => two[Symbol.asyncDispose](),
    );
    const meshes = [meshOf({ reviews: { endpoints: [one.port] } }), meshOf({ reviews: { endpoints: [two.port] } })];
    const answers = await Promise.all(
      meshes.map(async ({ dispatcher }) => (await request("http://reviews/", { dispatcher })).body.text()),
    );
    expect(answers).toEqual(["one", "two"]);
  });

  it("takes a global Request, and answers as fetch does", async () => {
    const server = await echo();
    const mesh = meshOf({ reviews: { endpoints: [server.port] } });
    const fetched = await createFetch(mesh.dispatcher)(
      new Request("http://reviews/a", { method: "POST", body: "text", headers: { a: "1" } }),
    );
    const seen = (await fetched.json()) as { method: string; body: string; headers: string[] };
    expect([fetched.ok, fetched.url, seen.method, seen.body]).toEqual([true, "http://reviews/a", "POST", "text"]);
    const reason = new Error("mine");
    await expect(createFetch(mesh.dispatcher)("http://reviews/", { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
  });

  it("keeps no body alive when its call has ended", async () => {
    const server = await echo();
    const mesh = meshOf({ reviews: { endpoints: [server.port] } });
    const { body } = await request("http://reviews/", { dispatcher: mesh.dispatcher, method: "POST", body: "x" });
    await body.dump();
    const call = mesh.calls[0] as Call;
    expect([call.ended, call.attempt?.abort]).toEqual([true, undefined]);
  });
});

describe("before the first snapshot", () => {
  it("waits, then serves", async () => {
    const server = await echo();
    const mesh = meshOf();
    const asked = request("http://reviews/a", { dispatcher: mesh.dispatcher });
    await new Promise((resolve) => setTimeout(resolve, 30));
    mesh.publish({ reviews: { endpoints: [server.port] } });
    expect(await (await asked).body.json()).toMatchObject({ url: "/a" });
  });

  it("passes a host on that turns out to be none of the mesh's", async () => {
    const server = await echo();
    const mesh = meshOf();
    const asked = request(`http://127-0-0-1.invalid:${server.port}/a`, { dispatcher: mesh.dispatcher });
    mesh.publish({});
    await expect(asked).rejects.toMatchObject({ code: expect.stringMatching(/ENOTFOUND|EAI_AGAIN/) });
  });

  it("does not keep loopback waiting", async () => {
    const server = await echo();
    const mesh = meshOf();
    const { body } = await request(`http://127.0.0.1:${server.port}/a`, { dispatcher: mesh.dispatcher });
    expect(await body.json()).toMatchObject({ url: "/a" });
  });

  it("gives up in time", async () => {
    const mesh = meshOf(undefined, { configWaitMs: 30 });
    const { statusCode, headers, body } = await request("http://reviews/", { dispatcher: mesh.dispatcher });
    await body.dump();
    expect([statusCode, headers["x-inmesh-error"]]).toEqual([503, "CONFIG_UNAVAILABLE"]);
  });

  it("can be aborted", async () => {
    const mesh = meshOf();
    const controller = new AbortController();
    const asked = request("http://reviews/", { dispatcher: mesh.dispatcher, signal: controller.signal });
    const reason = new MeshError("TIMEOUT", "an error of ours is no answer when it is the caller's reason");
    setTimeout(() => controller.abort(reason), 20);
    await expect(asked).rejects.toBe(reason);
  });
});

async function hanging() {
  const server = await listenTcp(() => {});
  cleanups.push(() => server[Symbol.asyncDispose]());
  return server;
}

it("leaves timers their turn while a caller asks again and again for what is not there yet", async () => {
  const server = await echo();
  const mesh = meshOf({ reviews: { endpoints: [] } });
  const fetch = createFetch(mesh.dispatcher);
  setTimeout(() => mesh.publish({ reviews: { endpoints: [server.port] } }), 5);
  let asked = 0;
  while ((await fetch("http://reviews/")).status !== 200) if (++asked > 100_000) break;
  expect(asked).toBeGreaterThan(0);
  expect(asked).toBeLessThan(100_000);
});

it("addresses a request to its endpoint by name where the rule says so, on connections that others use, too", async () => {
  const { port } = await echo();
  const named = { hostname: "one-a.example", labels: {}, weight: 1, workloads: [] };
  const endpoint = { ...named, id: `127.0.0.1:${port}`, address: "127.0.0.1", port };
  const route = { rewrite: { endpointAuthority: true, forwardsHost: true } } as const;
  const mesh = meshOf({ named: { endpoints: [endpoint], route }, plain: { endpoints: [endpoint] } });
  for (const [host, asked] of [
    ["named", "one-a.example"],
    ["plain", "plain"],
    ["named", "one-a.example"],
  ] as const) {
    const { body } = await request(`http://${host}/`, { dispatcher: mesh.dispatcher });
    const { headers } = (await body.json()) as { headers: string[] };
    const heard = headers.flatMap((name, at) => (/host$/i.test(name) ? [name.toLowerCase(), headers[at + 1]] : []));
    expect(heard).toEqual(["host", asked, ...(host === "named" ? ["x-forwarded-host", "named"] : [])]);
  }
});
