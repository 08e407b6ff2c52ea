import { once } from "node:events";
import { type ClientHttp2Session, connect, createServer, type Http2Server } from "node:http2";
import { type AddressInfo, connect as connectSocket, type Socket } from "node:net";
import { Contexts, systemClock } from "@inmesh/core";
import { TimerWheel } from "@inmesh/core/internal";
import { afterEach, describe, expect, it } from "vitest";
import { attachServer } from "./handler.js";
import { Inbound } from "./inbound.js";
import { patchServers } from "./patch-servers.js";
import { Servers } from "./servers.js";

const undos: (() => void)[] = [];
afterEach(() => {
  for (const undo of undos.splice(0).reverse()) undo();
});

function mesh() {
  const engine = {
    clock: systemClock,
    wheel: new TimerWheel(systemClock),
    contexts: new Contexts(),
    inForce: true,
    onlyObserves: false,
  };
  const inbound = new Inbound(engine);
  return { inbound, contexts: engine.contexts, servers: new Servers({ inbound, clock: systemClock }) };
}

async function listen(server: Http2Server): Promise<number> {
  undos.push(() => server.close());
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}

async function client(port: number): Promise<ClientHttp2Session> {
  const session = connect(`http://127.0.0.1:${port}`);
  undos.push(() => session.destroy());
  session.on("error", () => {});
  await once(session, "connect");
  return session;
}

async function ask(session: ClientHttp2Session, path = "/", headers: Record<string, string> = {}) {
  const stream = session.request({ ":path": path, ...headers });
  const [head] = await once(stream, "response");
  let text = "";
  for await (const chunk of stream) text += chunk;
  return { status: head[":status"], text };
}

interface Frame {
  readonly type: string;
  readonly stream: number;
  readonly payload: Buffer;
}

/** A caller that says exactly what the test wants, frame by frame (RFC 9113 §4.1). */
class FrameClient {
  static readonly #TYPES = ["DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PUSH_PROMISE", "PING", "GOAWAY"];
  readonly #socket: Socket;
  readonly #frames: Frame[] = [];
  #rest: Buffer = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    this.#send(4, 0, 0, Buffer.alloc(0));
  }

  static async connect(port: number): Promise<FrameClient> {
    const socket = connectSocket(port, "127.0.0.1");
    undos.push(() => socket.destroy());
    await once(socket, "connect");
    return new FrameClient(socket);
  }

  /** GET http://a/, from HPACK's static table. */
  get(stream: number): void {
    this.#send(1, 0b101, stream, Buffer.from([0x82, 0x86, 0x84, 0x41, 1, 0x61]));
  }

  async until(wanted: (frame: Frame) => boolean): Promise<Frame> {
    for (;;) {
      const found = this.#frames.find(wanted);
      if (found !== undefined) return found;
      const got = this.#frames.map(({ type, stream }) => `${type} ${stream}`).join(", ");
      if (this.#socket.closed) throw new Error(`the connection was closed; got ${got}`);
      await Promise.race([once(this.#socket, "data"), once(this.#socket, "close")]);
    }
  }

  #send(type: number, flags: number, stream: number, payload: Buffer): void {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head.writeUInt8(type, 3);
    head.writeUInt8(flags, 4);
    head.writeUInt32BE(stream, 5);
    this.#socket.write(Buffer.concat([head, payload]));
  }

  #read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 9) {
      const end = 9 + this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < end) return;
      const type = FrameClient.#TYPES[this.#rest.readUInt8(3)] ?? "other";
      this.#frames.push({ type, stream: this.#rest.readUInt32BE(5), payload: this.#rest.subarray(9, end) });
      this.#rest = this.#rest.subarray(end);
    }
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** The two interfaces of node:http2, serving `answer`. */
const INTERFACES = [
  [
    "the compatibility API",
    (answer: () => unknown) =>
      createServer((request, response) =>
        response.end(JSON.stringify([answer(), request.headers, request.rawHeaders])),
      ),
  ],
  [
    "the stream API",
    (answer: () => unknown) =>
      createServer().on("stream", (stream, headers, _, rawHeaders?: string[]) => {
        stream.respond({ ":status": 200 });
        stream.end(JSON.stringify([answer(), headers, rawHeaders ?? []]));
      }),
  ],
] as const;

describe.each(INTERFACES)("a request to %s of node:http2", (_, create) => {
  it.each(["patched", "attached"])("is in context, counted once, and shows no header of the mesh (%s)", async (how) => {
    const { servers, inbound, contexts } = mesh();
    if (how === "patched") undos.push(patchServers(servers));
    const server = create(() => {
      const { forward, deadlineAt = Number.NaN } = contexts.current() ?? {};
      return [forward, deadlineAt - systemClock.now()];
    });
    const port = await listen(how === "attached" ? attachServer(server, servers) : server);
    expect(servers.listeners).toEqual([{ port, address: "127.0.0.1", protocol: "http2" }]);
    const session = await client(port);
    const { text } = await ask(session, "/", { traceparent: "00-1", "x-inmesh-timeout-ms": "400", a: "1" });
    const [[forward, leftMs], headers, raw] = JSON.parse(text);
    expect(forward).toEqual(["traceparent", "00-1"]);
    expect(leftMs).toBeGreaterThan(300);
    expect(leftMs).toBeLessThanOrEqual(400);
    expect([headers.a, JSON.stringify([headers, raw])]).toEqual(["1", expect.not.stringContaining("inmesh")]);
    await inbound.idle(AbortSignal.timeout(1_000));
    expect(inbound.read()).toMatchObject({ requests: 1, failures: 0, inFlight: 0 });
  });
});

describe("an HTTP/2 server", () => {
  it("counts 5xx as failures, and a caller that went away as neither", async () => {
    const { servers, inbound, contexts } = mesh();
    const reasons: unknown[] = [];
    const server = createServer((request, response) => {
      const signal = contexts.current()?.signal();
      signal?.addEventListener("abort", () => reasons.push(signal.reason));
      if (request.url !== "/hang") response.writeHead(503).end();
    });
    const session = await client(await listen(attachServer(server, servers)));
    expect((await ask(session)).status).toBe(503);
    const hanging = session.request({ ":path": "/hang" });
    while (inbound.inFlight === 0) await turn();
    hanging.close(8); // CANCEL
    await inbound.idle(AbortSignal.timeout(1_000));
    expect(inbound.read()).toMatchObject({ requests: 2, failures: 1, inFlight: 0 });
    expect(reasons).toEqual([expect.objectContaining({ name: "AbortError" })]);
  });

  it("is two servers to two meshes, and one to each", async () => {
    const [one, two] = [mesh(), mesh()];
    undos.push(patchServers(one.servers), patchServers(two.servers));
    const session = await client(await listen(createServer((_, response) => response.end())));
    await ask(session);
    await ask(session);
    expect([one.inbound.read().requests, two.inbound.read().requests]).toEqual([2, 2]);
    expect([one.servers.listeners.length, two.servers.listeners.length]).toEqual([1, 1]);
  });

  it("is as before after the patch is undone", async () => {
    const { servers, inbound } = mesh();
    const undo = patchServers(servers);
    const session = await client(await listen(createServer((_, response) => response.end())));
    await ask(session);
    undo();
    await ask(session);
    expect(inbound.read().requests).toBe(1);
  });

  it("ends with GOAWAY: idle connections are closed, and running streams finish", async () => {
    const { servers, inbound } = mesh();
    undos.push(patchServers(servers));
    const release: (() => void)[] = [];
    const server = createServer((request, response) => {
      if (request.url === "/slow") release.push(() => response.end("slow"));
      else response.end("quick");
    });
    const port = await listen(server);
    const session = await client(port);
    const idle = await client(port);
    await ask(idle);
    const slow = ask(session, "/slow");
    while (release.length === 0) await turn();
    const goaway = once(session, "goaway");
    const cut = servers.close(AbortSignal.timeout(5_000));
    await goaway;
    await expect(ask(session)).rejects.toMatchObject({ code: "ERR_HTTP2_GOAWAY_SESSION" });
    expect(inbound.inFlight).toBe(1);
    for (const each of release) each();
    expect(await slow).toEqual({ status: 200, text: "slow" });
    expect(await cut).toBe(0);
    while (!session.destroyed || !idle.destroyed) await turn();
    await expect(client(port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  it("still serves what had arrived when it began to close", async () => {
    const { servers } = mesh();
    undos.push(patchServers(servers));
    const port = await listen(createServer((_, response) => response.end()));
    const wire = await FrameClient.connect(port);
    wire.get(1);
    await wire.until(({ type, stream }) => type === "HEADERS" && stream === 1);
    wire.get(3); // reaches the system's buffers at once
    const cut = servers.close(AbortSignal.timeout(5_000));
    await wire.until(({ type, stream }) => type === "HEADERS" && stream === 3);
    const { payload } = await wire.until(({ type }) => type === "GOAWAY");
    expect([payload.readUInt32BE(0), await cut]).toEqual([3, 0]);
  });

  it("cuts what is left when its time is over", async () => {
    const { servers, inbound } = mesh();
    undos.push(patchServers(servers));
    const session = await client(await listen(createServer(() => {})));
    const hanging = session.request({ ":path": "/" });
    const ended = once(hanging, "close");
    hanging.on("error", () => {});
    while (inbound.inFlight === 0) await turn();
    const controller = new AbortController();
    const cut = servers.close(controller.signal);
    controller.abort();
    expect(await cut).toBe(1);
    await ended;
  });

  it("sends its callers away when the application closes it itself at the end", async () => {
    const { servers, inbound } = mesh();
    undos.push(patchServers(servers));
    const server = createServer((_, response) => response.end());
    const session = await client(await listen(server));
    await ask(session);
    const closed = once(server, "close");
    inbound.retireConnections();
    server.close();
    await closed;
    expect(session.closed).toBe(true);
  });
});
