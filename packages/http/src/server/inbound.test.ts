import { once } from "node:events";
import { createServer, get, type IncomingMessage, type RequestListener, request, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { Contexts, type InboundContext, systemClock } from "@inmesh/core";
import { TimerWheel } from "@inmesh/core/internal";
import { afterEach, describe, expect, it } from "vitest";
import { attachServer, enterer, meshHandler } from "./handler.js";
import { Inbound } from "./inbound.js";
import { Servers } from "./servers.js";

const ON = { inForce: true, onlyObserves: false };

const open: Server[] = [];
afterEach(() => {
  for (const server of open.splice(0)) server.close().closeAllConnections();
});

async function serve(app: (engine: Engine) => RequestListener) {
  const engine = { clock: systemClock, wheel: new TimerWheel(systemClock), contexts: new Contexts(), ...ON };
  const inbound = new Inbound(engine);
  const servers = new Servers({ inbound, clock: systemClock });
  const server = attachServer(createServer(app(engine)), servers);
  open.push(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return { engine, inbound, servers, server, port };
}

type Engine = { readonly contexts: Contexts };

function ask(
  port: number,
  headers: Record<string, string | string[]> = {},
): Promise<{ status: number; text: string; response: IncomingMessage }> {
  return new Promise((resolve, reject) => {
    get({ port, host: "127.0.0.1", headers, agent: false }, async (response) => {
      let text = "";
      for await (const chunk of response) text += chunk;
      resolve({ status: response.statusCode ?? 0, text, response });
    }).on("error", reject);
  });
}

function deferred<Value>(): { readonly promise: Promise<Value>; readonly resolve: (value: Value) => void } {
  let resolve!: (value: Value) => void;
  const promise = new Promise<Value>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

describe("an inbound request", () => {
  it("that is a mirror's copy says so to the calls made for it, and not to the application", async () => {
    const { port } = await serve(
      ({ contexts }) =>
        ({ headers }, response) =>
          response.end(JSON.stringify([contexts.current()?.forward, Object.keys(headers).join()])),
    );
    const { text } = await ask(port, { "X-Inmesh-Mirrored": "1", traceparent: "00-1-2-01" });
    const [forward, names] = JSON.parse(text);
    expect(forward).toEqual(["traceparent", "00-1-2-01", "x-inmesh-mirrored", "1"]);
    expect(names).not.toContain("inmesh");
  });

  it("carries its trace headers and nothing else into the context", async () => {
    const { port } = await serve(
      ({ contexts }) =>
        (_, response) =>
          response.end(JSON.stringify(contexts.current()?.forward)),
    );
    const { text } = await ask(port, { traceparent: "00-1-2-01", "X-Request-Id": "r1", cookie: "secret" });
    expect(JSON.parse(text)).toEqual(["traceparent", "00-1-2-01", "x-request-id", "r1"]);
  });

  it.each([
    ["250", 250],
    ["99999999999", 86_400_000],
    ["-5", Infinity],
    ["1e3", Infinity],
    ["12.5", Infinity],
    ["", Infinity],
    [["100", "5"], Infinity],
  ])("reads the deadline %j as %s ms", async (value, expected) => {
    let leftMs = Number.NaN;
    const { port } = await serve(({ contexts }) => (_, response) => {
      leftMs = (contexts.current()?.deadlineAt ?? Number.NaN) - systemClock.now();
      response.end();
    });
    await ask(port, { "x-inmesh-timeout-ms": value });
    if (expected === Infinity) expect(leftMs).toBe(Infinity);
    else {
      expect(leftMs).toBeLessThanOrEqual(expected);
      expect(leftMs).toBeGreaterThan(expected - 200);
    }
  });

  it("shows the application no header of the mesh, in any of its three forms", async () => {
    const { port } = await serve(
      () =>
        ({ headers, headersDistinct, rawHeaders }, response) =>
          response.end(JSON.stringify([headers, headersDistinct, rawHeaders])),
    );
    const { text } = await ask(port, { "X-Inmesh-Identity": "me", a: "1", "x-inmesh-timeout-ms": "900", b: "2" });
    expect(text).not.toMatch(/inmesh/i);
    const [headers, distinct, raw] = JSON.parse(text);
    expect(headers).toMatchObject({ a: "1", b: "2" });
    expect(distinct).toMatchObject({ a: ["1"], b: ["2"] });
    expect(raw).toEqual(expect.arrayContaining(["a", "1", "b", "2"]));
  });

  it("is entered once, however often its server emits it", async () => {
    const seen: (InboundContext | undefined)[] = [];
    const { port, server, inbound } = await serve(({ contexts }) => (_, response) => {
      seen.push(contexts.current());
      response.end();
    });
    server.on("checkContinue", (message, response) => {
      response.writeContinue();
      server.emit("request", message, response);
    });
    const sent = request({
      port,
      host: "127.0.0.1",
      method: "POST",
      headers: { expect: "100-continue", traceparent: "t" },
      agent: false,
    });
    sent.on("continue", () => sent.end("body"));
    sent.flushHeaders();
    await once(sent, "response");
    expect([seen.length, seen[0]?.forward, inbound.read().requests]).toEqual([1, ["traceparent", "t"], 1]);
  });

  it("keeps 40 concurrent requests of one keep-alive connection apart", async () => {
    const { port } = await serve(({ contexts }) => async (message, response) => {
      await new Promise((resolve) => setImmediate(resolve));
      response.end(`${message.url} ${contexts.current()?.forward[1]}`);
    });
    const socket = connect(port, "127.0.0.1");
    const lines = Array.from(
      { length: 40 },
      (_, n) => `GET /${n} HTTP/1.1\r\nhost: x\r\nx-request-id: id-${n}\r\n\r\n`,
    );
    socket.write(lines.join(""));
    let text = "";
    for await (const chunk of socket) {
      text += chunk;
      if (text.includes("/39 id-39")) break;
    }
    for (let n = 0; n < 40; n++) expect(text).toContain(`/${n} id-${n}`);
  });

  it("aborts its signal when the caller goes away", async () => {
    const reason = deferred<unknown>();
    const begun = deferred<void>();
    const { port, inbound } = await serve(({ contexts }) => () => {
      const signal = contexts.current()?.signal();
      signal?.addEventListener("abort", () => reason.resolve(signal.reason));
      begun.resolve();
    });
    const sent = get({ port, host: "127.0.0.1", agent: false }).on("error", () => {});
    await begun.promise;
    expect(inbound.inFlight).toBe(1);
    sent.destroy();
    expect(await reason.promise).toMatchObject({ name: "AbortError" });
    expect(inbound.read()).toMatchObject({ requests: 1, failures: 0, inFlight: 0 });
  });

  it("leaves its signal alone when the body was read, and when the answer is complete", async () => {
    let signal: AbortSignal | undefined;
    const { port, inbound } = await serve(({ contexts }) => async (message, response) => {
      signal = contexts.current()?.signal();
      for await (const _ of message);
      await new Promise((resolve) => setImmediate(resolve));
      expect(signal?.aborted).toBe(false);
      response.end("done");
    });
    await ask(port);
    await inbound.idle(AbortSignal.timeout(1_000));
    expect(signal?.aborted).toBe(false);
  });

  it("aborts its signal when the deadline passes", async () => {
    const reason = deferred<unknown>();
    const { port } = await serve(({ contexts }) => (_, response) => {
      const signal = contexts.current()?.signal();
      signal?.addEventListener("abort", () => {
        reason.resolve(signal.reason);
        response.end();
      });
    });
    await ask(port, { "x-inmesh-timeout-ms": "20" });
    expect(await reason.promise).toMatchObject({ code: "DEADLINE_EXCEEDED" });
  });

  it("stops counting pipelined requests whose connection is gone before their turn", async () => {
    const { port, inbound } = await serve(() => () => {});
    const socket = connect(port, "127.0.0.1");
    socket.write("GET /1 HTTP/1.1\r\nhost: x\r\n\r\n".repeat(3));
    while (inbound.inFlight < 3) await new Promise((resolve) => setImmediate(resolve));
    socket.destroy();
    await inbound.idle(AbortSignal.timeout(1_000));
    expect(inbound.inFlight).toBe(0);
  });

  it("counts answers of 500 and more as failures", async () => {
    const { port, inbound } = await serve(() => (message, response) => {
      response.statusCode = Number(message.url?.slice(1)) || 200;
      response.end();
    });
    for (const status of [200, 404, 500, 503]) {
      await new Promise((resolve) =>
        get({ port, host: "127.0.0.1", path: `/${status}`, agent: false }, (response) =>
          response.resume().on("end", resolve),
        ),
      );
    }
    await inbound.idle(AbortSignal.timeout(1_000));
    expect(inbound.read()).toMatchObject({ requests: 4, failures: 2, inFlight: 0, p50Ms: expect.any(Number) });
  });

  it.each([
    ["on", ON, [true, undefined]],
    ["off or observe", { inForce: false, onlyObserves: false }, [false, undefined]],
    ["observe of the whole process", { inForce: false, onlyObserves: true }, [false, "50"]],
  ])("in mode %s sets a deadline and hides its header: %j", async (_, mode, expected) => {
    const engine = { clock: systemClock, wheel: new TimerWheel(systemClock), contexts: new Contexts(), ...mode };
    const inbound = new Inbound(engine);
    const seen: unknown[] = [];
    const app: RequestListener = ({ headers }, response) => {
      seen.push(Number.isFinite(engine.contexts.current()?.deadlineAt), headers["x-inmesh-timeout-ms"]);
      response.end();
    };
    const servers = new Servers({ inbound, clock: systemClock });
    const server = createServer(meshHandler(app, enterer(inbound, servers)));
    open.push(server);
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as AddressInfo;
    await (await fetch(`http://127.0.0.1:${port}/`, { headers: { "x-inmesh-timeout-ms": "50" } })).text();
    expect(seen).toEqual(expected);
    expect(inbound.read()).toMatchObject({ requests: 1, failures: 0 });
  });

  it("reaches the handler in context when only the handler is the mesh's", async () => {
    const engine = { clock: systemClock, wheel: new TimerWheel(systemClock), contexts: new Contexts(), ...ON };
    const inbound = new Inbound(engine);
    const servers = new Servers({ inbound, clock: systemClock });
    const app: RequestListener = (_, response) => response.end(String(engine.contexts.current()?.forward));
    const server = createServer(meshHandler(app, enterer(inbound, servers)));
    open.push(server);
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as AddressInfo;
    const texts = [await ask(port, { traceparent: "a" }), await ask(port, { traceparent: "b" })].map(
      ({ text }) => text,
    );
    expect(texts).toEqual(["traceparent,a", "traceparent,b"]);
    expect(servers.listeners).toEqual([{ port, address: "127.0.0.1", protocol: "http" }]);
    expect(inbound.read().requests).toBe(2);
  });

  it("takes an upgrade in context and leaves its socket alone", async () => {
    const { port, server, inbound, engine } = await serve(() => (_, response) => response.end());
    const forwarded = deferred<unknown>();
    server.on("upgrade", (_, socket) => {
      forwarded.resolve(engine.contexts.current()?.forward);
      socket.end("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nraw");
    });
    const sent = get({
      port,
      host: "127.0.0.1",
      headers: { connection: "upgrade", upgrade: "x", baggage: "k=v" },
      agent: false,
    });
    const [, socket, head] = (await once(sent, "upgrade")) as [IncomingMessage, NodeJS.ReadableStream, Buffer];
    let text = head.toString();
    for await (const chunk of socket) text += chunk;
    expect([await forwarded.promise, text, inbound.read().requests]).toEqual([["baggage", "k=v"], "raw", 0]);
  });
});
