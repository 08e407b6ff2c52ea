import { once } from "node:events";
import { Readable } from "node:stream";
import { request } from "undici";
import { afterEach, describe, expect, it } from "vitest";
import { closedPort, type FakeMesh, type FakeService, fakeMesh, listen, listenTcp, retries, until } from "./mesh.js";

const cleanups: (() => PromiseLike<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function meshOf(services: Record<string, FakeService>): FakeMesh {
  const mesh = fakeMesh(services);
  cleanups.push(() => mesh.close());
  return mesh;
}

async function serve(...args: Parameters<typeof listen>) {
  const server = await listen(...args);
  cleanups.push(() => server[Symbol.asyncDispose]());
  return server;
}

async function serveTcp(...args: Parameters<typeof listenTcp>) {
  const server = await listenTcp(...args);
  cleanups.push(() => server[Symbol.asyncDispose]());
  return server;
}

/** Answers 503 `failures` times, then says what body it got. */
async function flaky(failures: number, { body = "sorry" } = {}) {
  const bodies: string[] = [];
  const server = await serve(async (req, res) => {
    let text = "";
    for await (const chunk of req) text += chunk;
    bodies.push(text);
    if (bodies.length <= failures) res.writeHead(503).end(body);
    else res.end("ok");
  });
  return { server, bodies };
}

const FIVE = retries(3, ["5xx"]);

describe("a request that may be retried", () => {
  it("is, and the caller gets the good answer", async () => {
    const { server, bodies } = await flaky(2);
    const mesh = meshOf({ reviews: { endpoints: [server.port], retry: FIVE } });
    const { statusCode, body } = await request("http://reviews/", { dispatcher: mesh.dispatcher });
    expect([statusCode, await body.text(), bodies.length, mesh.calls[0]?.attempts]).toEqual([200, "ok", 3, 3]);
  });

  it("ends with the last answer when attempts run out", async () => {
    const { server, bodies } = await flaky(9);
    const mesh = meshOf({ reviews: { endpoints: [server.port], retry: FIVE } });
    const { statusCode, body } = await request("http://reviews/", { dispatcher: mesh.dispatcher });
    expect([statusCode, await body.text(), bodies.length]).toEqual([503, "sorry", 4]);
  });

  it("goes to another endpoint when one refuses connections", async () => {
    const server = await serve((_, res) => void res.end("ok"));
    const retry = retries(2, ["connect-failure"]);
    const mesh = meshOf({ reviews: { endpoints: [await closedPort(), server.port], retry } });
    for (let count = 0; count < 4; count++) {
      const sent = await request("http://reviews/", { dispatcher: mesh.dispatcher, method: "POST", body: "x" });
      expect([sent.statusCode, await sent.body.text()]).toEqual([200, "ok"]);
    }
  });

  it("is answered in time by the endpoint that does answer", async () => {
    const hangs = await serveTcp(() => {});
    const server = await serve((_, res) => void res.end("ok"));
    const retry = retries(1, ["5xx", "reset"], { perTryTimeoutMs: 60 });
    const mesh = meshOf({ reviews: { endpoints: [hangs.port, server.port], retry } });
    for (let count = 0; count < 3; count++) {
      const { statusCode, body } = await request("http://reviews/", { dispatcher: mesh.dispatcher });
      expect([statusCode, await body.text()]).toEqual([200, "ok"]);
    }
    expect(hangs.accepted()).toBeGreaterThan(0);
  });

  it("says what happened when nobody ever answers", async () => {
    const hangs = await serveTcp(() => {});
    const retry = retries(2, ["5xx"], { perTryTimeoutMs: 30 });
    const mesh = meshOf({ reviews: { endpoints: [hangs.port], retry } });
    const { statusCode, headers, body } = await request("http://reviews/", { dispatcher: mesh.dispatcher });
    expect([statusCode, headers["x-inmesh-error"], mesh.calls[0]?.attempts]).toEqual([504, "PER_TRY_TIMEOUT", 3]);
    expect(await body.text()).toMatch(/^upstream request timeout\n/);
  });
});

describe("the body of a retried request", () => {
  const KB = 1024;
  const stream = (bytes: number) => Readable.from(blocks(bytes));
  function* blocks(bytes: number) {
    for (let left = bytes; left > 0; left -= 8 * KB) yield Buffer.alloc(Math.min(8 * KB, left), "x");
  }

  it.each<[string, () => unknown]>([
    ["a string", () => "x".repeat(200 * KB)],
    ["a Buffer", () => Buffer.alloc(200 * KB, "x")],
    ["a Blob", () => new Blob(["x".repeat(200 * KB)])],
  ])("is sent again whole when it is %s, however long", async (_, body) => {
    const { server, bodies } = await flaky(1);
    const mesh = meshOf({ reviews: { endpoints: [server.port], retry: FIVE } });
    const sent = await request("http://reviews/", {
      dispatcher: mesh.dispatcher,
      method: "PUT",
      body: body() as never,
    });
    expect([sent.statusCode, await sent.body.text()]).toEqual([200, "ok"]);
    expect(bodies.map((each) => each.length)).toEqual([200 * KB, 200 * KB]);
  });

  it("is sent again when it is a stream of at most 64 KiB", async () => {
    const { server, bodies } = await flaky(2);
    const mesh = meshOf({ reviews: { endpoints: [server.port], retry: FIVE } });
    const sent = await request("http://reviews/", {
      dispatcher: mesh.dispatcher,
      method: "PUT",
      body: stream(64 * KB),
    });
    expect([sent.statusCode, await sent.body.text()]).toEqual([200, "ok"]);
    expect(bodies.map((each) => each.length)).toEqual([64 * KB, 64 * KB, 64 * KB]);
  });

  it("is not when it is a longer stream: the answer stands", async () => {
    const { server, bodies } = await flaky(1);
    const mesh = meshOf({ reviews: { endpoints: [server.port], retry: FIVE } });
    const sent = await request("http://reviews/", {
      dispatcher: mesh.dispatcher,
      method: "PUT",
      body: stream(72 * KB),
    });
    expect([sent.statusCode, await sent.body.text()]).toEqual([503, "sorry"]);
    expect([bodies.length, mesh.calls[0]?.noRetry]).toEqual([1, "body_not_replayable"]);
  });

  it("is sent whole by the second attempt when the first one could not even connect, however long", async () => {
    const { server, bodies } = await flaky(0);
    const retry = retries(2, ["connect-failure"]);
    const mesh = meshOf({ reviews: { endpoints: [await closedPort(), server.port], retry } });
    for (const method of ["PUT", "POST"] as const) {
      const sent = await request("http://reviews/", { dispatcher: mesh.dispatcher, method, body: stream(300 * KB) });
      expect([sent.statusCode, await sent.body.text()]).toEqual([200, "ok"]);
    }
    expect(bodies.map((each) => each.length)).toEqual([300 * KB, 300 * KB]);
  });

  it("goes on where its source is when the first attempt timed out half-way", async () => {
    const hangs = await serveTcp(() => {});
    const { server, bodies } = await flaky(0);
    const retry = retries(1, ["5xx"], { perTryTimeoutMs: 250 });
    const mesh = meshOf({ reviews: { endpoints: [hangs.port], retry } });
    const body = new Readable({ read() {} });
    body.push("first ");
    const sending = request("http://reviews/", { dispatcher: mesh.dispatcher, method: "PUT", body });
    await until(() => hangs.accepted() === 1);
    mesh.publish({ reviews: { endpoints: [hangs.port, server.port], retry } });
    await once(server.server, "request");
    body.push("second");
    body.push(null);
    const sent = await sending;
    expect([sent.statusCode, await sent.body.text(), bodies]).toEqual([200, "ok", ["first second"]]);
  });
});

describe("a POST", () => {
  it("is never carried out twice, whatever the policy says of failures", async () => {
    let carriedOut = 0;
    const server = await serve((req, res) => {
      carriedOut += 1;
      if (carriedOut % 3 === 0) res.end("ok");
      else if (carriedOut % 3 === 1) req.socket.destroy();
      else res.writeHead(503).end();
    });
    const retry = retries(5, ["5xx", "reset", "connect-failure", "gateway-error"]);
    const mesh = meshOf({ reviews: { endpoints: [server.port], retry } });
    const outcomes: (string | undefined)[] = [];
    for (let count = 0; count < 12; count++) {
      const sent = await request("http://reviews/", { dispatcher: mesh.dispatcher, method: "POST", body: "order" });
      await sent.body.dump();
      outcomes.push(`${sent.statusCode} ${sent.headers["x-inmesh-error"] ?? ""}`);
    }
    expect(carriedOut).toBe(12);
    expect(outcomes.slice(0, 3)).toEqual(["503 UPSTREAM_RESET", "503 ", "200 "]);
  });

  it("is retried when it says that it may be", async () => {
    const { server, bodies } = await flaky(1);
    const mesh = meshOf({ reviews: { endpoints: [server.port], retry: FIVE } });
    const headers = { "Idempotency-Key": "k" };
    const sent = await request("http://reviews/", { dispatcher: mesh.dispatcher, method: "POST", body: "x", headers });
    expect([sent.statusCode, await sent.body.text(), bodies]).toEqual([200, "ok", ["x", "x"]]);
  });
});

describe("a kept-alive connection that the peer closes as the request goes out", () => {
  /** The first request of a connection is answered, the second finds it closed; new connections work. */
  async function stale() {
    const requests: string[] = [];
    const server = await serveTcp((socket, number) => {
      let served = 0;
      socket.on("data", (data) => {
        requests.push(`${number}: ${String(data).split(" ")[0]}`);
        if (++served > 1) return void socket.resetAndDestroy();
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
      });
    });
    return { server, requests };
  }

  it("costs a GET nothing: it is sent again at once, without a retry policy", async () => {
    const { server, requests } = await stale();
    const mesh = meshOf({ reviews: { endpoints: [server.port] } });
    for (let count = 0; count < 2; count++) {
      const { statusCode, body } = await request("http://reviews/", { dispatcher: mesh.dispatcher });
      expect([statusCode, await body.text()]).toEqual([200, "ok"]);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(requests).toEqual(["1: GET", "1: GET", "2: GET"]);
    expect(mesh.calls[1]).toMatchObject({ replayed: true, status: 200 });
  });

  it("fails a POST with its reason", async () => {
    const { server, requests } = await stale();
    const mesh = meshOf({ reviews: { endpoints: [server.port], retry: retries(3, ["connect-failure"]) } });
    const send = () => request("http://reviews/", { dispatcher: mesh.dispatcher, method: "POST", body: "x" });
    await (await send()).body.dump();
    await new Promise((resolve) => setTimeout(resolve, 10));
    const failed = await send();
    expect([failed.statusCode, failed.headers["x-inmesh-error"]]).toEqual([503, "UPSTREAM_RESET"]);
    expect(await failed.body.text()).toMatch(/connection termination\n.*POST http:\/\/reviews\//s);
    expect(requests).toEqual(["1: POST", "1: POST"]);
  });

  it("is avoided altogether when the peer said how long it keeps it", async () => {
    let connections = 0;
    const server = await serveTcp((socket) => {
      connections += 1;
      socket.on(
        "data",
        () => void socket.write("HTTP/1.1 200 OK\r\nkeep-alive: timeout=1\r\ncontent-length: 0\r\n\r\n"),
      );
    });
    const mesh = meshOf({ reviews: { endpoints: [server.port] } });
    for (let count = 0; count < 2; count++) {
      const { body } = await request("http://reviews/", { dispatcher: mesh.dispatcher });
      await body.dump();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(connections).toBe(2); // one second is less than the margin
  });
});

describe("an answer thrown away for a retry", () => {
  it("leaves its connection fit for use when it is small", async () => {
    const { server } = await flaky(2);
    const mesh = meshOf({
      reviews: { endpoints: [server.port], retry: retries(3, ["5xx"], { backoffBaseMs: 10, backoffMaxMs: 10 }) },
    });
    const { body } = await request("http://reviews/", { dispatcher: mesh.dispatcher });
    await body.dump();
    expect(server.accepted()).toBeLessThanOrEqual(2);
  });

  it.each([
    [
      "is long by its own account",
      (res: import("node:http").ServerResponse) => res.writeHead(503, { "content-length": 1e9 }).write("x"),
    ],
    [
      "turns out to be long",
      (res: import("node:http").ServerResponse) => {
        res.writeHead(503);
        res.write(Buffer.alloc(200_000));
      },
    ],
    ["never ends", (res: import("node:http").ServerResponse) => res.writeHead(503).write("x")],
  ])("is cut when it %s", async (_, fail) => {
    let requests = 0;
    let cut = 0;
    const server = await serve((req, res) => {
      if (++requests > 1) return void res.end("ok");
      req.socket.on("close", () => (cut += 1));
      fail(res);
    });
    const mesh = meshOf({ reviews: { endpoints: [server.port], retry: FIVE } });
    const { statusCode, body } = await request("http://reviews/", { dispatcher: mesh.dispatcher });
    expect([statusCode, await body.text()]).toEqual([200, "ok"]);
    await until(() => cut === 1, 1_000);
  });

  it("leaks no connection in 1,000 retries", { timeout: 30_000 }, async () => {
    let requests = 0;
    const server = await serve((req, res) => {
      requests += 1;
      if (requests % 2 === 0) res.end("ok");
      else if (requests % 3 === 0) req.socket.destroy();
      else res.writeHead(503).end("sorry".repeat(100));
    });
    const mesh = meshOf({ reviews: { endpoints: [server.port], retry: retries(8, ["5xx", "reset"]) } });
    for (let round = 0; round < 50; round++) {
      await Promise.all(
        Array.from({ length: 20 }, async () => {
          const { body } = await request("http://reviews/", { dispatcher: mesh.dispatcher });
          await body.dump();
        }),
      );
    }
    expect(requests).toBeGreaterThanOrEqual(2_000);
    expect(server.sockets.size).toBeLessThanOrEqual(60); // what 20 calls at once need, not what 1,000 retries would leave
    const states = new Set(mesh.calls.map((call) => call.attempt?.endpoint));
    expect([...states].map((state) => state?.inFlight)).toEqual([0]);
  });
});

describe("connections", () => {
  it("of an endpoint that left are closed once its running requests are done", async () => {
    const server = await serve((_, res) => void setTimeout(() => res.end("late"), 100));
    const other = await serve((_, res) => void res.end("other"));
    const mesh = meshOf({ reviews: { endpoints: [server.port] } });
    const running = request("http://reviews/", { dispatcher: mesh.dispatcher });
    await until(() => server.accepted() === 1);
    mesh.publish({ reviews: { endpoints: [other.port] } });
    const next = await request("http://reviews/", { dispatcher: mesh.dispatcher });
    expect(await next.body.text()).toBe("other");
    expect(await (await running).body.text()).toBe("late");
    await until(() => server.sockets.size === 0);
    expect(mesh.transport.size).toBe(1);
  });

  it("outlive a snapshot that changes nothing for them", async () => {
    const server = await serve((_, res) => void res.end("ok"));
    const services = { reviews: { endpoints: [server.port] } };
    const mesh = meshOf(services);
    for (let count = 0; count < 3; count++) {
      const { body } = await request("http://reviews/", { dispatcher: mesh.dispatcher });
      await body.dump();
      mesh.publish(services);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(server.accepted()).toBe(1);
  });
});
