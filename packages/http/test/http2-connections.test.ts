/** HTTP/2 connections: how many, how long they live, and what becomes of requests when one goes. */

import { AsyncResource } from "node:async_hooks";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { ServerHttp2Stream } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeClock } from "@inmesh/core/testing";
import type { ClientTls, ConnectionPolicy } from "@inmesh/model";
import { request } from "undici";
import { afterAll, describe, expect, it, vi } from "vitest";
import { TestAuthority } from "./certificates.js";
import { FRAME, listenFrames, listenHttp2, textOf } from "./http2-server.js";
import { closedPort, type FakeService, fakeMesh, listen, listenTcp, retries, until } from "./mesh.js";

const folder = mkdtempSync(join(tmpdir(), "inmesh-http2-"));
afterAll(() => rmSync(folder, { recursive: true }));
const authority = new TestAuthority();
const caCertificates = join(folder, "ca.pem");
writeFileSync(caCertificates, authority.pem);
const SIMPLE: Partial<ClientTls> = { mode: "SIMPLE", verifiesServerName: true, caCertificates };

interface MeshOptions extends Omit<FakeService, "endpoints" | "connection"> {
  readonly connection?: Partial<ConnectionPolicy>;
}

function meshTo(ports: readonly number[], { connection, ...more }: MeshOptions = {}) {
  const clock = new FakeClock();
  const service = { ...more, endpoints: ports, connection: { protocol: "http2" as const, ...connection } };
  const mesh = fakeMesh({ reviews: service }, { transportClock: clock });
  const ask = async (path = "/", options: { method?: string; body?: string; signal?: AbortSignal } = {}) => {
    const given = { dispatcher: mesh.dispatcher, ...options } as Parameters<typeof request>[1];
    const { statusCode, headers, body } = await request(`http://reviews${path}`, given);
    return { status: statusCode, error: headers["x-inmesh-error"], text: await body.text() };
  };
  const states = () => mesh.engine.clusters.all()[0]!.states; // called before
  return { mesh, clock, ask, states, [Symbol.asyncDispose]: () => mesh.close() };
}

const hello = (stream: ServerHttp2Stream): void => {
  stream.respond({ ":status": 200 });
  stream.end("hello");
};

/** Answers when told to. */
function holding() {
  const held: ServerHttp2Stream[] = [];
  const finish = (): void => {
    for (const stream of held.splice(0)) hello(stream);
  };
  return { held, finish, handler: (stream: ServerHttp2Stream) => void held.push(stream) };
}

it("a stream is begun without the function that Node would bind for it, which keeps it until old garbage is collected", async () => {
  await using server = await listenHttp2(hello);
  await using test = meshTo([server.port]);
  await test.ask();
  const bind = vi.spyOn(AsyncResource.prototype, "bind");
  try {
    expect((await test.ask()).text).toBe("hello");
    expect(bind).not.toHaveBeenCalled();
  } finally {
    bind.mockRestore();
  }
});

describe("as many connections as are needed", () => {
  it("is one, for requests that come before it is there as well", async () => {
    const { held, finish, handler } = holding();
    await using server = await listenHttp2(handler);
    await using test = meshTo([server.port]);
    const asked = Array.from({ length: 60 }, () => test.ask());
    await until(() => held.length === 60);
    finish();
    expect((await Promise.all(asked)).every(({ text }) => text === "hello")).toBe(true);
    expect([server.accepted(), test.mesh.transport.connects, test.mesh.transport.clients]).toEqual([1, 1, 1]);
  });

  it.each([
    ["policy allows 2 streams on one", { maxConcurrentStreams: 2 }, {}],
    ["the peer allows 2 streams on one", {}, { maxConcurrentStreams: 2 }],
  ])("is more where %s", async (_, connection, settings) => {
    const { held, finish, handler } = holding();
    await using server = await listenHttp2(handler, settings);
    await using test = meshTo([server.port], { connection });
    const asked = Array.from({ length: 5 }, () => test.ask());
    await until(() => held.length === 5);
    expect(server.accepted()).toBe(3);
    expect(test.states()[0]!.failures).toBe(0);
    finish();
    await Promise.all(asked);
    const more = test.ask();
    await until(() => held.length === 1);
    finish();
    await more;
    expect(server.accepted()).toBe(3);
  });
});

describe("a connection ends", () => {
  it("with the request that policy makes its last one", async () => {
    await using server = await listenHttp2(hello);
    await using test = meshTo([server.port], { connection: { maxRequestsPerConnection: 2 } });
    for (let each = 0; each < 5; each++) expect((await test.ask()).text).toBe("hello");
    expect(server.accepted()).toBe(3);
    await until(() => server.sessions.size <= 1);
  });

  it("when it was idle for as long as policy says, or when nobody used it between two sweeps", async () => {
    await using server = await listenHttp2(hello);
    for (const connection of [{ idleTimeoutMs: 3_000 }, {}]) {
      await using test = meshTo([server.port], { connection });
      await test.ask();
      test.clock.advance(2_000);
      await test.ask();
      test.clock.advance(2_000);
      expect(test.mesh.transport.clients).toBe(1);
      test.clock.advance(connection.idleTimeoutMs === undefined ? 30_000 : 1_500);
      await until(() => server.sessions.size === 0);
      await test.ask();
    }
    expect(server.accepted()).toBe(4);
  });

  it("when it is old: its requests finish, later ones get another", async () => {
    const { held, finish, handler } = holding();
    await using server = await listenHttp2(handler);
    await using test = meshTo([server.port], { connection: { maxAgeMs: 5_000 } });
    const first = test.ask();
    await until(() => held.length === 1);
    test.clock.advance(5_500);
    const second = test.ask();
    await until(() => held.length === 2);
    expect(server.accepted()).toBe(2);
    finish();
    expect([(await first).text, (await second).text]).toEqual(["hello", "hello"]);
    await until(() => server.sessions.size === 1);
  });

  it("when its endpoint leaves, without cutting a request", async () => {
    const { held, finish, handler } = holding();
    await using server = await listenHttp2(handler);
    await using other = await listenHttp2(hello);
    await using test = meshTo([server.port]);
    const first = test.ask("/", { method: "POST", body: "order" });
    await until(() => held.length === 1);
    test.mesh.publish({ reviews: { endpoints: [other.port], connection: { protocol: "http2" } } });
    expect((await test.ask()).text).toBe("hello");
    finish();
    expect((await first).text).toBe("hello");
    await until(() => server.sessions.size === 0);
  });

  it("when a PING is not answered in time, and its requests with it", async () => {
    let pings = 0;
    await using server = await listenFrames((_, type) => {
      if (type === FRAME.PING) pings += 1;
    });
    const http2KeepAlive = { intervalMs: 5_000, timeoutMs: 1_000 };
    await using test = meshTo([server.port], { connection: { http2KeepAlive } });
    const asked = test.ask("/", { method: "POST", body: "order" });
    await until(() => (test.states()[0]?.inFlight ?? 0) === 1 && test.mesh.transport.clients === 1);
    await until(() => {
      test.clock.advance(5_000);
      return pings > 0;
    });
    test.clock.advance(1_000);
    expect(await asked).toMatchObject({
      status: 503,
      error: "UPSTREAM_RESET",
      text: expect.stringContaining("no answer to an HTTP/2 PING within 1000 ms"),
    });
    await until(() => test.mesh.transport.clients === 0);
  });

  it("not while PINGs are answered", async () => {
    let pings = 0;
    await using server = await listenHttp2(hello);
    server.server.on("session", (session) => session.on("ping", () => (pings += 1)));
    await using test = meshTo([server.port], { connection: { http2KeepAlive: { intervalMs: 1_000, timeoutMs: 500 } } });
    await test.ask();
    for (let ping = 1; ping <= 3; ping++) {
      test.clock.advance(1_000);
      await until(() => pings === ping);
      expect((await test.ask()).text).toBe("hello"); // comes after the answer to the PING
    }
    expect(server.accepted()).toBe(1);
  });
});

describe("a peer that closes (GOAWAY)", () => {
  it("finishes what it accepted, and the rest goes on another connection at once, a POST too, without a retry", async () => {
    const done: string[] = [];
    let first: ServerHttp2Stream | undefined;
    await using server = await listenHttp2(async (stream, { ":path": path = "" }) => {
      if (path === "/first") {
        first = stream;
      } else if (stream.session === first?.session) {
        stream.session?.goaway(0, first?.id); // this one is not accepted any more
      } else {
        done.push(`${path} ${await textOf(stream)}`);
        hello(stream);
      }
    });
    await using test = meshTo([server.port]); // no retries
    const begun = test.ask("/first");
    await until(() => first !== undefined);
    expect((await test.ask("/order", { method: "POST", body: "order" })).text).toBe("hello");
    hello(first!); // it was accepted
    expect((await begun).text).toBe("hello");
    expect([done, server.accepted()]).toEqual([["/order order"], 2]);
    const call = test.mesh.calls.find(({ path }) => path === "/order");
    expect([call?.replayed, call?.attempts, test.states()[0]!.failures]).toEqual([true, 1, 0]);
    await until(() => server.sessions.size === 1);
  });

  it("gets no further request, not even while it is still there", async () => {
    const { held, finish, handler } = holding();
    await using server = await listenHttp2(handler);
    await using test = meshTo([server.port]);
    const first = test.ask();
    await until(() => held.length === 1);
    const [session] = server.sessions;
    session?.goaway();
    await until(() => test.mesh.transport.clients === 1 && held.length === 1);
    await new Promise((resolve) => session?.ping(resolve)); // what was sent before it has come
    const second = test.ask();
    await until(() => held.length === 2);
    expect(server.accepted()).toBe(2);
    finish();
    expect([(await first).text, (await second).text]).toEqual(["hello", "hello"]);
  });

  it("is believed once for a request: who goes on refusing it is a failure", async () => {
    let seen = 0;
    await using server = await listenFrames((peer, type) => {
      if (type !== FRAME.HEADERS) return;
      seen += 1;
      peer.goAway(0);
    });
    await using test = meshTo([server.port]);
    expect(await test.ask("/", { method: "POST", body: "order" })).toMatchObject({
      status: 503,
      error: "STREAM_REFUSED",
    });
    expect(seen).toBe(2);
  });
});

describe("a stream that the peer refuses", () => {
  const REFUSED_STREAM = 7;

  it("is tried again where policy wants it, a POST too", async () => {
    let seen = 0;
    await using server = await listenHttp2((stream) => {
      seen += 1;
      if (seen < 3) stream.close(REFUSED_STREAM);
      else hello(stream);
    });
    await using test = meshTo([server.port], { retry: retries(2, ["refused-stream"]) });
    expect(await test.ask("/", { method: "POST", body: "order" })).toMatchObject({ status: 200 });
    expect(test.mesh.calls[0]).toMatchObject({ attempts: 3, replayed: false });
    expect(server.accepted()).toBe(1);
  });

  it("fails the request where not", async () => {
    await using server = await listenHttp2((stream) => stream.close(REFUSED_STREAM));
    await using test = meshTo([server.port], { retry: retries(2, ["connect-failure"]) });
    const { status, error, text } = await test.ask();
    expect([status, error]).toEqual([503, "STREAM_REFUSED"]);
    expect(text).toMatch(
      /^upstream connect error or disconnect\/reset before headers. reset reason: remote refused stream reset\n/,
    );
    expect(test.states()[0]!.failures).toBe(1);
  });

  it("and one that is reset otherwise is no connection found closed: it is not sent twice", async () => {
    let seen = 0;
    await using server = await listenHttp2((stream, { ":path": path }) => {
      if (path !== "/") return hello(stream);
      seen += 1;
      stream.close(2);
    });
    await using test = meshTo([server.port]);
    await test.ask("/first");
    expect(await test.ask()).toMatchObject({ status: 503, error: "UPSTREAM_RESET" });
    expect(seen).toBe(1);
  });
});

describe("an endpoint that speaks no HTTP/2", () => {
  it("is a failed connection: nothing was sent, and a POST goes elsewhere", async () => {
    let requests = 0;
    await using old = await listen((_, response) => {
      requests += 1;
      response.end("1.1");
    });
    await using server = await listenHttp2(hello);
    await using alone = meshTo([old.port]);
    const { status, error, text } = await alone.ask();
    expect([status, error]).toEqual([503, "CONNECT_FAILED"]);
    expect(text).toMatch(/the endpoint does not speak HTTP\/2, which policy or its port's protocol asks for: /);
    await using both = meshTo([old.port, server.port], { retry: retries(1, ["connect-failure"]) });
    const posts = await Promise.all(Array.from({ length: 4 }, () => both.ask("/", { method: "POST", body: "order" })));
    expect(posts.map(({ text: each }) => each)).toEqual(["hello", "hello", "hello", "hello"]);
    expect(requests).toBe(0);
  });

  it("or nothing at all is given up after the connect timeout", async () => {
    await using silent = await listenTcp((socket) => socket.resume());
    await using test = meshTo([silent.port], { connection: { connectTimeoutMs: 700 } });
    const asked = test.ask();
    await until(() => silent.accepted() === 1);
    test.clock.advance(800);
    expect(await asked).toMatchObject({
      error: "CONNECT_FAILED",
      text: expect.stringContaining("no HTTP/2 connection within 700 ms"),
    });
    const closed = meshTo([await closedPort()]);
    expect(await closed.ask()).toMatchObject({
      error: "CONNECT_FAILED",
      text: expect.stringContaining("ECONNREFUSED"),
    });
    await closed.mesh.close();
  });

  it("says so in the handshake, over TLS", async () => {
    const issued = authority.issue(["reviews"]);
    await using secure = await listenHttp2(
      (stream, headers) => {
        stream.respond({ ":status": 200, scheme: String(headers[":scheme"]) });
        stream.end("hello");
      },
      {},
      issued,
    );
    await using test = meshTo([secure.port], { tls: SIMPLE });
    const { headers, body } = await request("http://reviews/", { dispatcher: test.mesh.dispatcher });
    expect([headers["scheme"], await body.text()]).toEqual(["https", "hello"]);
    await test.ask();
    expect(secure.accepted()).toBe(1);

    const { createServer } = await import("node:https");
    const old = createServer({ ...issued }, (_, response) => void response.end("1.1")).listen(0, "127.0.0.1");
    await once(old, "listening");
    await using other = meshTo([(old.address() as { port: number }).port], { tls: SIMPLE });
    expect(await other.ask()).toMatchObject({
      error: "CONNECT_FAILED",
      text: expect.stringContaining("the endpoint speaks no HTTP/2"),
    });
    old.close();
  });
});

describe("a request that waits", () => {
  it("for its connection leaves at once when it is given up", async () => {
    await using silent = await listenTcp((socket) => socket.resume());
    await using test = meshTo([silent.port]);
    const controller = new AbortController();
    const asked = test.ask("/", { signal: controller.signal });
    await until(() => silent.accepted() === 1);
    controller.abort();
    await expect(asked).rejects.toThrow(/aborted/);
    expect(test.states()[0]).toMatchObject({ inFlight: 0, failures: 0 });
  });
});
