/** Mirrors on real sockets: what the second server gets, and that the first one's caller never notices. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { MirrorPolicy } from "@inmesh/model";
import { clusterName } from "@inmesh/model";
import { afterEach, describe, expect, it } from "vitest";
import { MOST_HELD_BYTES } from "../../core/src/mirror/mirrors.js";
import {
  closedPort,
  type FakeMesh,
  type FakeService,
  fakeMesh,
  listen,
  listenTcp,
  type TestServer,
  until,
} from "./mesh.js";

interface Got {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
  /** False when the body broke off. */
  readonly whole: boolean;
}

const open: AsyncDisposable[] = [];
const meshes: FakeMesh[] = [];

afterEach(async () => {
  for (const mesh of meshes.splice(0)) await mesh.close();
  for (const each of open.splice(0)) await each[Symbol.asyncDispose]();
});

/** A server that keeps what it gets. */
async function keeper(
  answer: (response: ServerResponse) => void = (response) => void response.end("ok"),
): Promise<TestServer & { readonly got: Got[] }> {
  const got: Got[] = [];
  const server = await listen(async (request, response) => {
    const chunks: Buffer[] = [];
    request.on("error", () => {});
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    await new Promise((resolve) => request.once("close", resolve).once("end", resolve));
    const { method = "", url = "", headers, complete } = request;
    got.push({ method, url, headers, body: Buffer.concat(chunks), whole: complete });
    answer(response);
  });
  open.push(server);
  return Object.assign(server, { got });
}

function mirrorTo(name: string, ratio = 1): MirrorPolicy {
  const host = `${name}.default.svc.cluster.local`;
  return {
    destination: { cluster: clusterName(80, "", host), host, port: 80, subset: "", weight: 100 },
    ratio,
    field: "mirror",
  };
}

function mirrored(primary: number, copy: number, more: Partial<FakeService> = {}): FakeMesh {
  const { route, ...others } = more;
  const mesh = fakeMesh({
    reviews: { endpoints: [primary], route: { mirrors: [mirrorTo("canary")], ...route }, ...others },
    canary: { endpoints: [copy] },
  });
  meshes.push(mesh);
  return mesh;
}

const reading = (mesh: FakeMesh) => mesh.engine.mirrors.read()[0]!;

async function ask(
  mesh: FakeMesh,
  {
    method = "GET",
    path = "/",
    body = null as unknown,
    headers = {} as Record<string, string>,
    signal,
  }: AskOptions = {},
): Promise<{ status: number; text: string }> {
  const options = { origin: "http://reviews", path, method, headers, body, ...(signal && { signal }) };
  const answer = await mesh.dispatcher.request(options as Parameters<FakeMesh["dispatcher"]["request"]>[0]);
  return { status: answer.statusCode, text: await answer.body.text() };
}

interface AskOptions {
  method?: string;
  path?: string;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

describe("a copy on the wire", () => {
  it("says what the request says, under the authority's shadow", async () => {
    const primary = await keeper();
    const copy = await keeper();
    const mesh = mirrored(primary.port, copy.port);
    expect(await ask(mesh, { path: "/a?b=c", headers: { accept: "text/x" } })).toEqual({ status: 200, text: "ok" });
    await until(() => reading(mesh).stats.calls === 1);
    expect(copy.got).toMatchObject([
      { method: "GET", url: "/a?b=c", headers: { host: "reviews-shadow", accept: "text/x" } },
    ]);
    const { headers } = copy.got[0]!;
    expect([headers["x-envoy-internal"], headers["x-forwarded-for"], headers["x-inmesh-mirrored"]]).toEqual([
      ...["true", "127.0.0.1", "1"],
    ]);
    expect(primary.got).toMatchObject([{ headers: { host: "reviews" } }]);
    expect(Object.keys(primary.got[0]!.headers)).not.toContain("x-envoy-internal");
    expect(mesh.calls).toHaveLength(1);
  });

  it.each([
    ["a string", () => "written", "written"],
    ["bytes", () => Buffer.from("written"), "written"],
    ["a stream", () => Readable.from(["wri", "tt", "en"]), "written"],
    [
      "a generator",
      () =>
        (async function* () {
          yield Buffer.from("written");
        })(),
      "written",
    ],
    ["an empty stream", () => Readable.from([]), ""],
  ])("has the body of %s", async (_, body, expected) => {
    const primary = await keeper();
    const copy = await keeper();
    const mesh = mirrored(primary.port, copy.port);
    await ask(mesh, { method: "POST", body: body() });
    await until(() => copy.got.length === 1);
    expect([primary, copy].map(({ got }) => got[0]!.body.toString())).toEqual([expected, expected]);
  });

  it("has a form, and a request of fetch's, in full", async () => {
    const primary = await keeper();
    const copy = await keeper();
    const mesh = mirrored(primary.port, copy.port);
    const form = new FormData();
    form.set("title", "a book");
    await ask(mesh, { method: "POST", body: form });
    await until(() => copy.got.length === 1);
    expect(copy.got[0]!.body.toString()).toContain("a book");
    expect(copy.got[0]!.headers["content-type"]).toMatch(/^multipart\/form-data/);
    const { fetch } = await import("undici");
    const json = JSON.stringify({ stars: 5 });
    await (await fetch("http://reviews/", { method: "PUT", body: json, dispatcher: mesh.dispatcher })).text();
    await until(() => copy.got.length === 2);
    expect([copy.got[1]!.method, copy.got[1]!.body.toString()]).toEqual(["PUT", json]);
  });

  it("of a big body in memory is whole, and as large as it is", async () => {
    const primary = await keeper();
    const copy = await keeper();
    const mesh = mirrored(primary.port, copy.port);
    const body = Buffer.alloc(8 * 1024 * 1024, "abcdefg");
    await ask(mesh, { method: "POST", body });
    await until(() => copy.got.length === 1, 10_000);
    expect([primary.got[0]!.body.equals(body), copy.got[0]!.body.equals(body)]).toEqual([true, true]);
    expect(body.length).toBeLessThan(MOST_HELD_BYTES);
  });

  it("of a big stream is not sent at all, and the request is", async () => {
    const primary = await keeper();
    const copy = await keeper();
    const mesh = mirrored(primary.port, copy.port);
    const chunks = Array.from({ length: 40 }, () => Buffer.alloc(4_096, "x"));
    await ask(mesh, { method: "POST", body: Readable.from(chunks) });
    expect(primary.got[0]!.body.length).toBe(40 * 4_096);
    await until(() => reading(mesh).skipped.bodyTooLarge === 1);
    expect([copy.accepted(), reading(mesh).stats.inFlight]).toEqual([0, 0]);
  });

  it("of a HEAD is a HEAD", async () => {
    const primary = await keeper((response) => void response.writeHead(200, { "content-length": 1e6 }).end());
    const copy = await keeper((response) => void response.writeHead(200, { "content-length": 1e6 }).end());
    const mesh = mirrored(primary.port, copy.port);
    for (const calls of [1, 2]) {
      expect((await ask(mesh, { method: "HEAD" })).status).toBe(200);
      await until(() => reading(mesh).stats.calls === calls);
    }
    expect(copy.got.map(({ method }) => method)).toEqual(["HEAD", "HEAD"]);
    expect(reading(mesh).stats.failures).toBe(0);
  });
});

describe("the caller does not notice a mirror that", () => {
  it("is slow: the answer is there before the copy's", async () => {
    const primary = await keeper();
    const held: ServerResponse[] = [];
    const copy = await keeper((response) => void held.push(response));
    const mesh = mirrored(primary.port, copy.port);
    expect(await ask(mesh, { method: "POST", body: "x" })).toEqual({ status: 200, text: "ok" });
    await until(() => held.length === 1);
    expect([mesh.calls.length, reading(mesh).stats.inFlight]).toEqual([1, 1]);
    held[0]!.writeHead(503).end();
    await until(() => reading(mesh).stats.calls === 1);
    expect(reading(mesh).stats.failures).toBe(1);
    expect(mesh.calls[0]).toMatchObject({ status: 200, attempts: 1 });
  });

  it("refuses", async () => {
    const primary = await keeper();
    const mesh = mirrored(primary.port, await closedPort());
    expect(await ask(mesh)).toEqual({ status: 200, text: "ok" });
    await until(() => reading(mesh).stats.failures === 1);
  });

  it("hangs, and its connection is closed by the rule's timeout", async () => {
    const primary = await keeper();
    let closed = 0;
    const copy = await listenTcp((socket) => void socket.on("close", () => (closed += 1)).resume());
    open.push(copy);
    const mesh = mirrored(primary.port, copy.port, { route: { mirrors: [mirrorTo("canary")], timeoutMs: 100 } });
    expect(await ask(mesh)).toEqual({ status: 200, text: "ok" });
    await until(() => closed === 1 && reading(mesh).stats.failures === 1);
  });

  it("speaks no HTTP, or answers without end", async () => {
    const primary = await keeper();
    const babble = await listenTcp((socket) => void socket.once("data", () => socket.write("what?\r\n\r\n")));
    open.push(babble);
    expect(await ask(mirrored(primary.port, babble.port))).toEqual({ status: 200, text: "ok" });
    let closed = false;
    const endless = await listen((_, response) => {
      response.on("close", () => {
        closed = true;
      });
      Readable.from(
        (function* () {
          while (!closed) yield Buffer.alloc(16_384);
        })(),
      ).pipe(response);
    });
    open.push(endless);
    const mesh = mirrored(primary.port, endless.port);
    expect(await ask(mesh)).toEqual({ status: 200, text: "ok" });
    await until(() => closed); // what nobody gets is drained within bounds
    expect(reading(mesh).stats).toMatchObject({ calls: 1, successes: 1 });
  });

  it("does not read a body that the request's own server reads", async () => {
    const primary = await keeper();
    const copy = await listenTcp((socket) => void socket.pause());
    open.push(copy);
    const mesh = mirrored(primary.port, copy.port);
    const body = Buffer.alloc(8 * 1024 * 1024);
    expect((await ask(mesh, { method: "POST", body })).status).toBe(200);
    expect(reading(mesh).stats.inFlight).toBe(1);
  });
});

it("a request whose body broke off is not copied, one whose caller went away afterwards is", async () => {
  const held: ServerResponse[] = [];
  const primary = await keeper((response) => void held.push(response));
  const copy = await keeper();
  const mesh = mirrored(primary.port, copy.port);
  const controller = new AbortController();
  const gone = ask(mesh, { path: "/gone", signal: controller.signal });
  await until(() => held.length === 1);
  controller.abort();
  await expect(gone).rejects.toThrow();
  await until(() => reading(mesh).stats.calls === 1);
  expect(copy.got.map(({ url }) => url)).toEqual(["/gone"]);

  const broken = new Readable({ read() {} });
  broken.push("begun");
  const asked = ask(mesh, { method: "POST", body: broken });
  await until(() => primary.accepted() > 0);
  broken.destroy(new Error("the body broke"));
  await expect(asked).rejects.toThrow("the body broke");
  expect(reading(mesh).skipped).toEqual({ bodyIncomplete: 1 });
  expect(copy.got).toHaveLength(1);
});

it("a copy waits for the last byte of a stream that its own server answers early", async () => {
  const primary = await listen((request, response) => void response.end("early") && request.resume());
  open.push(primary);
  const copy = await keeper();
  const mesh = mirrored(primary.port, copy.port);
  const body = new Readable({ read() {} });
  body.push("first ");
  const asked = ask(mesh, { method: "POST", body });
  await until(() => primary.accepted() === 1);
  body.push("last");
  body.push(null);
  await asked;
  await until(() => copy.got.length === 1 || reading(mesh).skipped.bodyIncomplete === 1, 10_000);
  // Either is right, by who was first; a part of a body never is.
  expect(copy.got.map(({ body: got }) => got.toString()).filter((text) => text !== "first last")).toEqual([]);
});

it("an upgrade is not copied", async () => {
  const primary = await keeper();
  primary.server.on(
    "upgrade",
    (_, socket) => void socket.end("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"),
  );
  const copy = await keeper();
  const mesh = mirrored(primary.port, copy.port);
  const { socket } = await mesh.dispatcher.upgrade({
    path: "/",
    method: "GET",
    origin: "http://reviews",
    protocol: "x",
  } as never);
  socket.destroy();
  expect(reading(mesh).skipped).toEqual({ notCopyable: 1 });
  expect(copy.accepted()).toBe(0);
});
