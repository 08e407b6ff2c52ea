/** HTTP/2 to endpoints: what policy asks of connections, what peers do to them, and answers as those of HTTP/1.1. */

import { once } from "node:events";
import http, { type IncomingMessage } from "node:http";
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { Readable } from "node:stream";
import { FakeClock } from "@inmesh/core/testing";
import type { ConnectionPolicy, LimitPolicy } from "@inmesh/model";
import { FormData, fetch, request } from "undici";
import { describe, expect, it } from "vitest";
import { createHttp, MeshAgent } from "../src/node/index.js";
import { FRAME, listenFrames, listenHttp2, textOf } from "./http2-server.js";
import { type FakeService, fakeMesh, listen, until } from "./mesh.js";

interface MeshOptions {
  readonly connection?: Partial<ConnectionPolicy>;
  readonly limits?: Partial<LimitPolicy>;
  readonly retry?: FakeService["retry"];
  readonly route?: FakeService["route"];
}

function meshTo(ports: readonly number[], { connection, limits: given, ...more }: MeshOptions = {}) {
  const clock = new FakeClock();
  const policy = given && {
    limits: { maxConnections: 0, maxPendingRequests: 0, maxRequests: 0, maxRetries: 0, ...given },
  };
  const service = {
    ...more,
    ...(policy && { policy }),
    endpoints: ports,
    connection: { protocol: "http2" as const, ...connection },
  };
  const mesh = fakeMesh({ reviews: service }, { transportClock: clock });
  const { dispatcher } = mesh;
  const ask = async (path = "/", options: Partial<Parameters<typeof request>[1]> = {}) => {
    const { statusCode, headers, body } = await request(`http://reviews${path}`, { dispatcher, ...options } as object);
    return { status: statusCode, headers, text: await body.text() };
  };
  const limits = () => mesh.engine.clusters.all()[0]!.limits; // called before
  return { mesh, clock, ask, limits, [Symbol.asyncDispose]: () => mesh.close() };
}

const hello = (stream: ServerHttp2Stream): void => {
  stream.respond({ ":status": 200 });
  stream.end("hello");
};

describe("an answer over HTTP/2", () => {
  it("is to every client what one over HTTP/1.1 is", async () => {
    await using two = await listenHttp2((stream) => {
      stream.additionalHeaders({ ":status": 103, link: "</a.css>" });
      stream.respond(
        { ":status": 201, "set-cookie": ["a=1", "b=2"], "x-up": "1" },
        { waitForTrailers: true, sendDate: false },
      );
      stream.on("wantTrailers", () => stream.sendTrailers({ sum: "5" }));
      stream.end("hello");
    });
    await using one = await listen((_, response) => {
      response.sendDate = false;
      response.shouldKeepAlive = false;
      response.writeEarlyHints({ link: "</a.css>" });
      response.writeHead(201, { trailer: "sum", "set-cookie": ["a=1", "b=2"], "x-up": "1" });
      response.write("hello");
      response.addTrailers({ sum: "5" });
      response.end();
    });
    /** Headers of a connection, which HTTP/2 has no use for. */
    const own = new Set(["connection", "transfer-encoding", "trailer", "keep-alive"]);
    const without = (headers: Iterable<[string, unknown]>) => [...headers].filter(([name]) => !own.has(name)).sort();
    const seen = async (port: number, protocol: "http2" | undefined) => {
      await using test = meshTo([port], {
        connection: { ...(protocol ? { protocol } : { protocol: undefined as never }) },
      });
      const { dispatcher, client } = test.mesh;
      const undici = await request("http://reviews/", { dispatcher });
      const undiciText = await undici.body.text();
      const fetched = await fetch("http://reviews/", { dispatcher });
      const hints: unknown[] = [];
      const asked = createHttp(client).request("http://reviews/");
      asked.on("information", ({ statusCode, headers }) => hints.push([statusCode, headers.link])).end();
      const [answer] = (await once(asked, "response")) as [IncomingMessage];
      let text = "";
      for await (const chunk of answer) text += chunk;
      return {
        undici: [undici.statusCode, without(Object.entries(undici.headers)), undiciText, undici.trailers],
        fetch: [fetched.status, fetched.statusText, without(fetched.headers), await fetched.text()],
        node: [answer.statusCode, answer.statusMessage, without(Object.entries(answer.headers)), text, answer.trailers],
        hints,
      };
    };
    const overTwo = await seen(two.port, "http2");
    expect(overTwo).toEqual(await seen(one.port, undefined));
    expect(overTwo.undici).toEqual([
      201,
      [
        ["set-cookie", ["a=1", "b=2"]],
        ["x-up", "1"],
      ],
      "hello",
      { sum: "5" },
    ]);
    expect(overTwo.hints).toEqual([[103, "</a.css>"]]);
  });

  it("has no body after a HEAD, and none with 204", async () => {
    await using server = await listenHttp2((stream, { ":method": method }) => {
      stream.respond(method === "HEAD" ? { ":status": 200, "content-length": "9" } : { ":status": 204 }, {
        endStream: true,
      });
    });
    await using test = meshTo([server.port]);
    expect(await test.ask("/", { method: "HEAD" })).toMatchObject({
      status: 200,
      text: "",
      headers: { "content-length": "9" },
    });
    expect(await test.ask()).toMatchObject({ status: 204, text: "" });
  });

  it("waits for its reader", async () => {
    const whole = 8 * 1024 * 1024;
    let stream!: ServerHttp2Stream;
    await using server = await listenHttp2((given) => {
      stream = given;
      stream.respond();
      stream.end(Buffer.alloc(whole));
    });
    await using test = meshTo([server.port]);
    const { body } = await request("http://reviews/", { dispatcher: test.mesh.dispatcher });
    await until(
      () => stream.state.localWindowSize !== undefined && (stream.session?.state.outboundQueueSize ?? 0) >= 0,
    );
    expect(stream.writableFinished).toBe(false);
    let read = 0;
    for await (const chunk of body) read += chunk.length;
    expect(read).toBe(whole);
  });

  it.each([
    ["CANCEL", constants.NGHTTP2_CANCEL],
    ["NO_ERROR", constants.NGHTTP2_NO_ERROR],
    ["INTERNAL_ERROR", constants.NGHTTP2_INTERNAL_ERROR],
  ])("that is reset in its middle with %s is no whole one", async (_, code) => {
    await using server = await listenFrames((peer, type, stream) => {
      if (type !== FRAME.HEADERS) return;
      peer.ok(stream);
      peer.data(stream, "part");
      peer.reset(stream, code);
    });
    await using test = meshTo([server.port]);
    await expect(test.ask()).rejects.toMatchObject({ code: "RESPONSE_TRUNCATED" });
    expect(server.accepted()).toBe(1);
  });

  it("that loses its connection is no whole one, and one that had not begun failed", async () => {
    await using server = await listenFrames((peer, type, stream, connection) => {
      if (type !== FRAME.HEADERS) return;
      if (connection === 1) peer.ok(stream);
      peer.socket.end();
    });
    await using test = meshTo([server.port]);
    await expect(test.ask()).rejects.toMatchObject({ code: "RESPONSE_TRUNCATED" });
    const failed = await test.ask();
    expect([failed.status, failed.headers["x-inmesh-error"]]).toEqual([503, "UPSTREAM_RESET"]);
  });
});

describe("a request over HTTP/2", () => {
  it("has the authority and headers of the call, and none that belong to a connection of HTTP/1.1", async () => {
    let seen: IncomingHttpHeaders = {};
    await using server = await listenHttp2((stream, headers) => {
      seen = headers;
      hello(stream);
    });
    await using test = meshTo([server.port]);
    const headers = [
      "X-Two",
      "1",
      "x-two",
      "2",
      "Connection",
      "x-hop",
      "X-Hop",
      "1",
      "Keep-Alive",
      "timeout=5",
      "TE",
      "gzip",
    ];
    await test.ask("/a?b=c", { headers });
    expect(seen).toMatchObject({ ":authority": "reviews", ":path": "/a?b=c", ":scheme": "http", "x-two": "1, 2" });
    for (const name of ["connection", "x-hop", "keep-alive", "te", "host", "content-length"])
      expect(seen).not.toHaveProperty(name);
    expect(test.mesh.calls).toHaveLength(1);
  });

  it("that no HTTP/2 request can be is the caller's error, and harms nobody", async () => {
    await using server = await listenHttp2(hello);
    await using test = meshTo([server.port]);
    await expect(test.ask("/", { headers: ["authorization", "a", "authorization", "b"] })).rejects.toMatchObject({
      code: "ERR_HTTP2_HEADER_SINGLE_VALUE",
    });
    await expect(test.ask("/", { upgrade: "websocket" } as object)).rejects.toThrow(
      /upgrade to websocket is not sent over HTTP\/2/,
    );
    expect(await test.ask()).toMatchObject({ status: 200 });
    expect(server.accepted()).toBe(1);
  });

  const form = new FormData();
  form.append("field", "value");
  it.each([
    ["text", () => "order", "order", "5"],
    ["bytes", () => Buffer.from("order"), "order", "5"],
    ["a view", () => new Uint8Array([111, 107]), "ok", "2"],
    ["a stream", () => Readable.from(["or", "der"]), "order", undefined],
    [
      "a generator",
      async function* () {
        yield "or";
        yield Buffer.from("der");
      },
      "order",
      undefined,
    ],
    ["a blob", () => new Blob(["order"]), "order", "5"],
    ["nothing", () => null, "", "0"],
    ["a form", () => form, /form-data; name="field"\r\n\r\nvalue/, undefined],
  ] as const)("carries %s", async (_, body, text, length) => {
    let stated: string | undefined;
    await using server = await listenHttp2(async (stream, headers) => {
      stated = headers["content-length"];
      const got = await textOf(stream);
      stream.respond();
      stream.end(got);
    });
    await using test = meshTo([server.port]);
    const made = (body as () => unknown)();
    const { text: echoed } = await test.ask("/", { method: "POST", body: made as string });
    if (typeof text === "string") expect(echoed).toBe(text);
    else expect(echoed).toMatch(text);
    expect(stated).toBe(length);
  });

  it("goes up while its answer comes down", async () => {
    await using server = await listenHttp2((stream) => {
      stream.respond();
      stream.pipe(stream);
    });
    await using test = meshTo([server.port]);
    const up = new Readable({ read() {} });
    const { body } = await request("http://reviews/", { dispatcher: test.mesh.dispatcher, method: "POST", body: up });
    const down = body[Symbol.asyncIterator]();
    for (const word of ["one", "two"]) {
      up.push(word);
      expect(String((await down.next()).value)).toBe(word);
    }
    up.push(null);
    expect((await down.next()).done).toBe(true);
  });

  it("that is answered before it is sent is over", async () => {
    let code: number | undefined;
    await using server = await listenHttp2((stream) => {
      stream.on("close", () => {
        code = stream.rstCode;
      });
      stream.respond({ ":status": 413 });
      stream.end();
      stream.resume();
    });
    await using test = meshTo([server.port]);
    const body = new Readable({ read() {} });
    body.push("begun");
    expect(await test.ask("/", { method: "POST", body })).toMatchObject({ status: 413 });
    await until(() => code !== undefined); // the server may have stopped it first, with NO_ERROR
    expect([constants.NGHTTP2_CANCEL, constants.NGHTTP2_NO_ERROR]).toContain(code);
    expect(body.destroyed).toBe(true);
  });

  it("whose body breaks fails with what broke it, and one of another length than stated with that", async () => {
    await using server = await listenHttp2((stream) => void stream.resume());
    await using test = meshTo([server.port]);
    const broken = Readable.from(
      (async function* () {
        yield "a";
        throw new Error("the disk is gone");
      })(),
    );
    await expect(test.ask("/", { method: "POST", body: broken })).rejects.toThrow("the disk is gone");
    const headers = { "content-length": "3" };
    for (const body of ["longer", Readable.from(["longer"]), Readable.from(["s"])]) {
      await expect(test.ask("/", { method: "POST", headers, body })).rejects.toMatchObject({
        code: "UND_ERR_REQ_CONTENT_LENGTH_MISMATCH",
      });
    }
    expect(server.accepted()).toBe(1);
  });

  it("that is given up is cancelled at the server, and its connection goes on", async () => {
    const codes: number[] = [];
    await using server = await listenHttp2((stream, { ":path": path }) => {
      if (path === "/quick") return hello(stream);
      stream.on("close", () => codes.push(stream.rstCode));
      if (path === "/begun") stream.respond();
    });
    await using test = meshTo([server.port]);
    const controller = new AbortController();
    const silent = test.ask("/silent", { signal: controller.signal });
    const { body } = await request("http://reviews/begun", {
      dispatcher: test.mesh.dispatcher,
      signal: controller.signal,
    });
    controller.abort();
    await expect(silent).rejects.toThrow(/aborted/);
    await expect(body.text()).rejects.toThrow(/aborted/);
    await until(() => codes.length === 2);
    expect(codes).toEqual([constants.NGHTTP2_CANCEL, constants.NGHTTP2_CANCEL]);
    expect(await test.ask("/quick")).toMatchObject({ text: "hello" });
    expect(server.accepted()).toBe(1);
  });

  it("is not made by an agent, which only routes", async () => {
    await using server = await listenHttp2(hello);
    await using test = meshTo([server.port]);
    const asked = http.get("http://reviews/", { agent: new MeshAgent(test.mesh.client) });
    const [error] = await once(asked, "error");
    expect(error).toMatchObject({ code: "AGENT_UNSUPPORTED" });
    expect(error.message).toMatch(/speaks HTTP\/2/);
  });
});
