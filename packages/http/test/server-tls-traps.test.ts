import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, createServer as createNetServer, type Server, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from "node:tls";
import { seededRandom, systemClock } from "@inmesh/core";
import { afterEach, describe, expect, it } from "vitest";
import { attachServer } from "../src/server/handler.js";
import { patchServers } from "../src/server/patch-servers.js";
import { hasEnded, rawSocketOf, resetOrClose } from "../src/server/tls/node-internals.js";
import {
  ask,
  BUNDLES,
  CALLER,
  CALLER_ID,
  dial,
  dialPlain,
  GET,
  hear,
  LAST_GET,
  MESH,
  OTHER,
  SERVER,
  SecuredMesh,
  said,
  secureOptions,
  until,
} from "./secured-server.js";
import { TestIdentity, TestTrustDomain } from "./test-identity.js";

const undos: (() => void)[] = [];
afterEach(() => {
  for (const undo of undos.splice(0).reverse()) undo();
});

async function listen(server: Server): Promise<number> {
  undos.push(() => server.close());
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}

/** A way to `port` on which what callers send comes in pieces of so many bytes. */
function inPieces(port: number, size: () => number): Promise<number> {
  const proxy = createNetServer((from) => {
    const to = dialPlain(port).setNoDelay(true);
    from.on("error", () => to.destroy()).on("end", () => to.end());
    to.on("error", () => from.destroy()).pipe(from);
    let queue = Promise.resolve();
    from.on("data", (chunk: Buffer) => {
      queue = queue.then(async () => {
        for (let at = 0; at < chunk.length; ) {
          const end = at + size();
          await new Promise((resolve) => to.write(chunk.subarray(at, end), resolve));
          at = end;
        }
      });
    });
  });
  return listen(proxy);
}

const echo: RequestListener = (message, response) => {
  let text = "";
  message.on("data", (chunk) => {
    text += chunk;
  });
  message.on("end", () => response.end(`<${message.url}:${text.length}:${text.slice(-3)}>`));
};

describe("what Node keeps to itself", () => {
  it("is where the mesh looks for it", async () => {
    const server = createTlsServer({ cert: SERVER.chain, key: SERVER.key });
    const raws: Socket[] = [];
    server.on("connection", (socket) => raws.push(socket));
    const secure = once(server, "secureConnection");
    const socket = dial(await listen(server), secureOptions(undefined));
    const [accepted] = (await secure) as [TLSSocket];
    expect(rawSocketOf(accepted)).toBe(raws[0]);
    expect(hasEnded(accepted)).toBe(false);
    socket.end();
    await until(() => {
      accepted.read(0);
      return hasEnded(accepted);
    });
    socket.on("error", () => {});
    accepted.destroy();
  });

  it("goes on reading in C++ once the first byte was looked at", async () => {
    await using mesh = new SecuredMesh();
    const consumed: unknown[] = [];
    const { port } = await mesh.serve((message, response) => {
      const { socket } = message;
      // The first request came through the listener for the byte that was put back; what follows need not.
      consumed.push((socket as unknown as { _handle: { _consumed?: boolean } })._handle._consumed);
      expect(socket.listenerCount("readable")).toBe(0);
      response.end("x");
    });
    await ask(dialPlain(port), GET + LAST_GET);
    await ask(dial(port), GET + LAST_GET);
    expect(consumed).toEqual([true, true, true, true]);
  });
});

describe("bytes", () => {
  it.each([
    ["one at a time", () => 1],
    [
      "in pieces by chance",
      (() => {
        const random = seededRandom(11);
        return () => 1 + random.int(300);
      })(),
    ],
  ])("arrive whole that came %s, over TLS and in plaintext", async (_, size) => {
    await using mesh = new SecuredMesh();
    const { port } = await mesh.serve(echo);
    const slow = await inPieces(port, size);
    const requests = ["abc", "x".repeat(1_500), ""].map(
      (body, index) =>
        `POST /${index} HTTP/1.1\r\nhost: a\r\ncontent-length: ${body.length}\r\n${index === 2 ? "connection: close\r\n" : ""}\r\n${body}`,
    );
    for (const socket of [dial(slow), dialPlain(slow)]) {
      const { text } = await ask(socket, requests.join(""));
      expect(text.match(/<.*?>/g)).toEqual(["</0:3:abc>", "</1:1500:xxx>", "</2:0:>"]);
    }
  });

  it("arrive on many connections at once, half of them over TLS, broken anywhere", async () => {
    await using mesh = new SecuredMesh();
    const { port } = await mesh.serve(echo);
    const random = seededRandom(5);
    const calls = Array.from({ length: 60 }, async (_, index) => {
      const body = "y".repeat(random.int(20_000));
      const text = `POST /${index} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
      const socket = index % 2 === 0 ? dial(port) : dialPlain(port);
      const heard = hear(socket);
      for (let at = 0; at < text.length; ) {
        const end = at + (at === 0 ? 1 + random.int(3) : 1 + random.int(9_000));
        socket.write(text.slice(at, end));
        await new Promise((resolve) => setTimeout(resolve, random.int(4)));
        at = end;
      }
      await heard.ended;
      return heard.text.includes(`</${index}:${body.length}:`);
    });
    expect(await Promise.all(calls)).toEqual(calls.map(() => true));
  });

  it("may be late, and the first may be all there is for a while", async () => {
    await using mesh = new SecuredMesh();
    const { port } = await mesh.serve(echo);
    const socket = dialPlain(port);
    const heard = hear(socket);
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.write("G");
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.write(LAST_GET.slice(1));
    await heard.ended;
    expect(heard.text).toMatch(/<\/:0:>/);
  });

  it("may end with the request: a caller that has shut its half gets its answer", async () => {
    await using mesh = new SecuredMesh();
    const { server, port } = await mesh.serve((message, response) => {
      message.resume().on("end", () => setTimeout(() => response.end("late"), 20));
    });
    (server as unknown as { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true; // or Node does not wait for answers
    for (const call of [dialPlain, dial]) {
      const socket = call(port);
      const heard = hear(socket);
      socket.end(GET);
      await heard.ended;
      expect(heard.text).toMatch(/late$/);
    }
  });
});

describe("a caller that never says who it is", () => {
  it("has so long for its first byte as the server gives for a head, and a newer one is served meanwhile", async () => {
    await using mesh = new SecuredMesh();
    const server = createServer(mesh.answer);
    server.headersTimeout = 100;
    const port = await mesh.listen(server);
    const silent = hear(dialPlain(port));
    expect(said(await ask(dial(port))).peer).toBe(CALLER_ID);
    await silent.ended;
    expect(silent).toMatchObject({ text: "", code: "ECONNRESET" });
    expect(mesh.security.read().refused).toEqual({ firstByteTimeout: 1 });
  });

  it("is one of so many, and beyond that the newest is closed", async () => {
    await using mesh = new SecuredMesh({ limits: { pending: 3 } });
    const { port } = await mesh.serve();
    const silent = [1, 2, 3].map(() => dialPlain(port));
    await until(() => mesh.security.read().ports[0]?.pending === 3);
    const refused = await ask(dial(port));
    expect(refused.text).toBe("");
    silent[0]?.destroy();
    await until(() => mesh.security.read().ports[0]?.pending === 2);
    expect(said(await ask(dial(port))).peer).toBe(CALLER_ID);
    expect(mesh.security.read().refused).toMatchObject({ pending: 1 });
    for (const socket of silent) socket.destroy();
  });

  it("does not finish its handshake: the socket is closed, which node:tls leaves open", async () => {
    await using mesh = new SecuredMesh({ limits: { handshakeMs: 100 } });
    const { server, port } = await mesh.serve();
    const half = dialPlain(port);
    const heard = hear(half);
    half.write(Buffer.from([0x16, 3, 1]));
    await heard.ended;
    const silent = dialPlain(port);
    await once(silent, "connect");
    const other = dialPlain(port);
    hear(other);
    other.end(Buffer.from([0x16])); // and shuts its half
    const failed = () => {
      const { handshakeTimeout = 0, handshake = 0 } = mesh.security.read().refused;
      return handshakeTimeout + handshake;
    };
    await until(() => failed() === 2);
    const open = await new Promise((resolve) => server.getConnections((_, count) => resolve(count)));
    expect(open).toBe(1); // the one that says nothing
    silent.destroy();
  });

  it("lets its place idle, and others take it", async () => {
    await using mesh = new SecuredMesh({ limits: { handshakes: 2, placeMs: 50 } });
    const { port } = await mesh.serve();
    const stuck = [1, 2, 3, 4].map(() => {
      const socket = dialPlain(port);
      hear(socket);
      socket.write(Buffer.from([0x16, 3, 1, 2, 0]));
      return socket;
    });
    await until(() => mesh.security.read().handshakes.waiting > 0);
    expect(said(await ask(dial(port))).peer).toBe(CALLER_ID);
    for (const socket of stuck) socket.destroy();
  });

  it("shuts its half, or leaves, without a byte: a probe, and no line in the log", async () => {
    await using mesh = new SecuredMesh();
    const { port } = await mesh.serve();
    const ended = dialPlain(port);
    const heard = hear(ended);
    ended.end();
    await heard.ended; // by the server: node:http lets sockets live on half
    const left = dialPlain(port);
    await once(left, "connect");
    left.destroy();
    await until(() => mesh.security.read().refused["closedSilently"] === 2);
    expect(mesh.notices).toEqual([]);
    expect(mesh.security.read().ports[0]?.pending).toBe(0);
  });

  it("resets the connection, before and in the handshake, and the process lives", async () => {
    await using mesh = new SecuredMesh();
    const { port } = await mesh.serve();
    const [early, late] = [dialPlain(port), dialPlain(port)];
    await Promise.all([once(early, "connect"), once(late, "connect")]);
    await until(() => mesh.security.read().ports[0]?.pending === 2);
    late.write(Buffer.from([0x16, 3, 1, 2, 0, 1]));
    await until(() => mesh.security.read().handshakes.running === 1);
    early.resetAndDestroy();
    late.resetAndDestroy();
    await until(() => mesh.security.read().ports[0]?.pending === 0);
    expect(said(await ask(dialPlain(port))).peer).toBe("");
  });
});

describe("a connection that the mesh breaks", () => {
  it.each(["end", "nothing"] as const)("after %s of its own is gone, and so is its server", async (before) => {
    const server = createNetServer({ allowHalfOpen: true });
    const accepted = once(server, "connection") as Promise<[Socket]>;
    const peer = dialPlain(await listen(server));
    const ended = hear(peer).ended;
    const [socket] = await accepted;
    const errors: Error[] = [];
    socket.on("error", (error) => errors.push(error));
    const gone = Promise.all([once(socket, "close"), once(server, "close")]);
    if (before === "end") socket.end("x");
    resetOrClose(socket);
    server.close();
    await gone; // it never came where Node was asked for a reset that libuv refuses
    await ended;
    expect(errors).toEqual([]);
  });

  it.each(["last", "first"] as const)("because the application resets it at its %s word is gone, too", async (word) => {
    await using mesh = new SecuredMesh();
    const { server, port } = await mesh.serve(({ socket }) => {
      if (word === "last") socket.end("HTTP/1.1 200 OK\r\n\r\n");
      socket.resetAndDestroy();
    });
    const caller = dial(port).resume();
    const [[error]] = await Promise.all([once(caller, word === "last" ? "close" : "error"), caller.write(GET)]);
    expect(error).toEqual(word === "last" ? false : expect.objectContaining({ code: "ECONNRESET" }));
    const closed = once(server, "close");
    server.close(); // node:http throws where it kept a parser
    await closed;
  });
});

describe("closing", () => {
  it("closeAllConnections() takes those without a request along, before and in the handshake", async () => {
    await using mesh = new SecuredMesh();
    const { server, port } = await mesh.serve();
    const [silent, half] = [dialPlain(port), dialPlain(port)];
    const heard = [hear(silent), hear(half)];
    await Promise.all([once(silent, "connect"), once(half, "connect")]);
    half.write(Buffer.from([0x16, 3, 1]));
    await until(() => mesh.security.read().ports[0]?.pending === 2);
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await Promise.all([closed, ...heard.map(({ ended }) => ended)]);
  });

  it("close() ends idle connections over TLS at once, and waits for busy ones", async () => {
    await using mesh = new SecuredMesh();
    let release: (() => void) | undefined;
    const { server, port } = await mesh.serve((message, response) => {
      if (message.url === "/slow") release = () => response.end("slow");
      else response.end("quick");
    });
    const [idle, busy] = [dial(port), dial(port)];
    const [idling, working] = [hear(idle), hear(busy)];
    idle.write(GET);
    busy.write("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n");
    await until(() => release !== undefined && idling.text.includes("quick"));
    let over = false;
    server.close(() => {
      over = true;
    });
    await idling.ended;
    expect(over).toBe(false);
    release?.();
    await until(() => working.text.includes("slow"));
    busy.destroy();
    await until(() => over);
  });

  it("close() waits for a first byte no longer than a moment", async () => {
    await using mesh = new SecuredMesh({ limits: { firstByteMs: 150 } });
    const { server, port } = await mesh.serve();
    const silent = hear(dialPlain(port));
    await until(() => mesh.security.read().ports[0]?.pending === 1);
    const closed = once(server, "close");
    server.close();
    await Promise.all([closed, silent.ended]);
  });

  it("by the mesh serves a caller over TLS that was slow to begin", async () => {
    await using mesh = new SecuredMesh();
    const { port } = await mesh.serve();
    const slow = dialPlain(port);
    await until(() => mesh.security.read().ports[0]?.pending === 1);
    const cut = mesh.servers.close(AbortSignal.timeout(5_000));
    await new Promise((resolve) => setTimeout(resolve, 50));
    const secure = connectTls({ socket: slow, ...secureOptions(CALLER) });
    const heard = await ask(secure, GET);
    expect(said(heard).peer).toBe(CALLER_ID);
    expect(heard.text).toMatch(/connection: close/i);
    expect(await cut).toBe(0);
  });
});

describe("a ticket", () => {
  /** Connects, asks, and keeps what would shorten the next handshake. */
  async function ticket(port: number, own = CALLER, more = {}): Promise<Buffer> {
    const socket = dial(port, { ...secureOptions(own), ...more });
    const session = new Promise<Buffer>((resolve) => socket.once("session", resolve));
    await ask(socket);
    return session;
  }
  async function resume(port: number, session: Buffer, own = CALLER, more = {}) {
    const socket = dial(port, { ...secureOptions(own), ...more, session });
    let reused = false;
    socket.once("secureConnect", () => {
      reused = socket.isSessionReused();
    });
    const { text } = await ask(socket);
    return { reused, peer: text === "" ? "refused" : said({ text }).peer };
  }

  describe.each([["TLSv1.3"], ["TLSv1.2"]] as const)("of %s", (maxVersion) => {
    const more = { maxVersion };

    it("shortens a handshake, and its caller is known as before, below an intermediate, too", async () => {
      await using mesh = new SecuredMesh();
      const { port } = await mesh.serve();
      const session = await ticket(port, CALLER, more);
      expect(await resume(port, session, CALLER, more)).toEqual({ reused: true, peer: CALLER_ID });
      expect(mesh.security.read().handshakes).toMatchObject({ full: 1, resumed: 1 });
    });

    it("is worth nothing once its root is gone", async () => {
      const old = new TestTrustDomain("cluster.local", " before");
      const caller = old.issue("ns/shop/sa/web");
      const identity = new TestIdentity({ own: SERVER, bundles: { "cluster.local": [MESH.root.pem, old.root.pem] } });
      await using mesh = new SecuredMesh({ identity });
      const { port } = await mesh.serve();
      const session = await ticket(port, caller, more);
      expect(await resume(port, session, caller, more)).toEqual({ reused: true, peer: CALLER_ID });
      identity.set({ own: SERVER, bundles: BUNDLES });
      expect(await resume(port, session, caller, more)).toEqual({ reused: false, peer: "refused" });
      expect(mesh.security.read().refused).toMatchObject({ untrustedChain: 1 });
    });

    it("is worth nothing once its certificate has expired", async () => {
      let ahead = 0;
      const clock = { ...systemClock, wallTime: () => Date.now() + ahead };
      const own = MESH.issue("ns/shop/sa/cart", { untilMs: 10 * 3_600_000 });
      const identity = new TestIdentity({ own, bundles: BUNDLES }, clock.wallTime);
      await using mesh = new SecuredMesh({ identity, clock });
      const { port } = await mesh.serve();
      const session = await ticket(port, CALLER, more);
      ahead = 2 * 3_600_000;
      expect(await resume(port, session, CALLER, more)).toMatchObject({ reused: true, peer: "refused" });
      expect(mesh.notices).toEqual([expect.stringMatching(/its certificate expired at /)]);
    });

    it("is not given by one generation of credentials for another", async () => {
      const identity = new TestIdentity({ own: SERVER, bundles: BUNDLES });
      await using mesh = new SecuredMesh({ identity });
      const { port } = await mesh.serve();
      const session = await ticket(port, CALLER, more);
      identity.set({ own: MESH.issue("ns/shop/sa/cart"), bundles: BUNDLES });
      expect(await resume(port, session, CALLER, more)).toEqual({ reused: false, peer: CALLER_ID });
    });
  });

  it("says that it holds for 300 s", async () => {
    await using mesh = new SecuredMesh();
    const { port } = await mesh.serve();
    const { execFileSync } = await import("node:child_process");
    const { mkdtempSync, rmSync, writeFileSync } = await import("node:fs");
    const { tmpdir } = await import("node:os");
    const { join } = await import("node:path");
    const session = await ticket(port, CALLER, { maxVersion: "TLSv1.2" });
    const folder = mkdtempSync(join(tmpdir(), "inmesh-ticket-"));
    undos.push(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, "s.der"), session);
    const text = execFileSync("openssl", [
      "sess_id",
      "-inform",
      "DER",
      "-in",
      join(folder, "s.der"),
      "-text",
      "-noout",
    ]);
    expect(String(text)).toMatch(/lifetime hint: 300 \(seconds\)/);
  });
});

describe("rotation", () => {
  it("is for new connections, and running ones go on", async () => {
    const identity = new TestIdentity({ own: SERVER, bundles: BUNDLES });
    await using mesh = new SecuredMesh({ identity });
    const { port } = await mesh.serve();
    const socket = dial(port);
    const heard = hear(socket);
    socket.write(GET);
    await until(() => heard.text.includes("{"));
    const before = socket.getPeerCertificate().fingerprint256;
    const next = MESH.issue("ns/shop/sa/cart");
    identity.set({ own: next, bundles: BUNDLES });
    const fresh = dial(port);
    const freshly = hear(fresh);
    await once(fresh, "secureConnect");
    expect(fresh.getPeerCertificate().fingerprint256).not.toBe(before);
    fresh.write(LAST_GET);
    await freshly.ended;
    socket.write(LAST_GET);
    await heard.ended;
    expect(heard.text.match(/200 OK/g)).toHaveLength(2);
  });

  it("twenty times under load fails no request", async () => {
    const identity = new TestIdentity({ own: SERVER, bundles: BUNDLES });
    await using mesh = new SecuredMesh({ identity });
    const { port } = await mesh.serve();
    const leaves = [MESH.issue("ns/shop/sa/cart"), SERVER];
    let on = true;
    let served = 0;
    const load = Array.from({ length: 4 }, async () => {
      while (on) {
        expect(said(await ask(dial(port))).peer).toBe(CALLER_ID);
        served += 1;
      }
    });
    for (let turn = 0; turn < 20; turn++) {
      identity.set({ own: leaves[turn % 2]!, bundles: BUNDLES });
      const until20 = served + 2;
      await until(() => served >= until20);
    }
    on = false;
    await Promise.all(load);
    expect(mesh.security.read().refused).toEqual({});
  });

  it.each(["its alias", "its bundle"])(
    "that takes a trust domain away, by %s, ends its callers' connections and takes no more",
    async (way) => {
      const caller = OTHER.issue("ns/shop/sa/web");
      const both = { ...BUNDLES, "other.local": [OTHER.root.pem] };
      const identity = new TestIdentity({ own: SERVER, bundles: both });
      await using mesh = new SecuredMesh({
        ...{ identity, mode: "STRICT", policy: { trustDomains: ["cluster.local", "other.local"] } },
        limits: { upgradedMs: 1 }, // for what knows no requests
      });
      const { port } = await mesh.serve();
      const h2 = await mesh.listen(createHttp2Server((_, response) => response.end("h2")));
      const tcp = await mesh.listen(createNetServer((socket) => socket.on("error", () => {}).write("hello")));
      const session = connectHttp2(`https://127.0.0.1:${h2}`, secureOptions(caller));
      await once(session.request().resume(), "close");
      const [theirs, ours, raw] = [dial(port, secureOptions(caller)), dial(port), dial(tcp, secureOptions(caller))];
      const ticket = new Promise<Buffer>((resolve) => theirs.on("session", resolve));
      const [ending, staying, held] = [hear(theirs), hear(ours), hear(raw)];
      theirs.write(GET);
      ours.write(GET);
      await until(() => ending.text.includes("200 OK") && staying.text.includes("200 OK") && held.text === "hello");
      expect(said(ending).peer).toBe("other.local/ns/shop/sa/web");
      const goaway = once(session, "goaway");
      if (way === "its alias") mesh.set({ policy: { trustDomains: ["cluster.local"] } });
      else identity.set({ own: SERVER, bundles: BUNDLES });
      await goaway;
      await Promise.all([ending.ended, held.ended]);
      expect(mesh.security.read().refused).toMatchObject({ distrusted: 1 });
      for (const again of [{}, { session: await ticket }]) {
        expect((await ask(dial(port, { ...secureOptions(caller), ...again }))).text).toBe("");
        expect((await ask(dial(tcp, { ...secureOptions(caller), ...again }))).text).toBe("");
      }
      ours.write(LAST_GET);
      await staying.ended;
      expect(staying.text.match(/200 OK/g)).toHaveLength(2);
      expect(mesh.notices.join()).toMatch(/other\.local/);
    },
  );

  it("that takes a root away ends connections of its callers: idle ones, busy ones with their next answer, HTTP/2 by GOAWAY", async () => {
    const old = new TestTrustDomain("cluster.local", " before");
    const caller = old.issue("ns/shop/sa/web");
    const both = { "cluster.local": [MESH.root.pem, old.root.pem] };
    const identity = new TestIdentity({ own: SERVER, bundles: both });
    await using mesh = new SecuredMesh({ identity });
    let release: (() => void) | undefined;
    const { port } = await mesh.serve((message, response) => {
      if (message.url === "/slow") release = () => response.end("slow");
      else response.end("quick");
    });
    const h2 = await mesh.listen(createHttp2Server((_, response) => response.end("h2")));
    const session = connectHttp2(`https://127.0.0.1:${h2}`, secureOptions(caller));
    await once(session.request().resume(), "close");
    const [idle, busy, other] = [dial(port, secureOptions(caller)), dial(port, secureOptions(caller)), dial(port)];
    const [idling, working, staying] = [hear(idle), hear(busy), hear(other)];
    idle.write(GET);
    other.write(GET);
    busy.write("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n");
    await until(() => release !== undefined && idling.text.includes("quick") && staying.text.includes("quick"));
    const goaway = once(session, "goaway");
    identity.set({ own: SERVER, bundles: BUNDLES });
    await goaway;
    await idling.ended;
    busy.write(GET); // on its way when the server stopped wanting it
    await until(() => mesh.inbound.inFlight === 2);
    release?.();
    await working.ended;
    expect(working.text).toMatch(/slow[\s\S]*connection: close[\s\S]*quick$/i);
    other.write(LAST_GET);
    await staying.ended;
    expect(staying.text.match(/quick/g)).toHaveLength(2);
    expect(mesh.notices).toEqual([
      expect.stringMatching(/since their caller is not known any more: .*web is not vouched for/),
    ]);
  });

  it("comes for old connections by age: the next answer says so", async () => {
    await using mesh = new SecuredMesh({ limits: { ageMs: 100 } });
    const { port } = await mesh.serve();
    const socket = dial(port);
    const heard = hear(socket);
    socket.write(GET);
    await until(() => heard.text.includes("{"));
    await heard.ended; // idle by then
    expect(heard.code).toBe("");
  });

  it("may raise the version of TLS", async () => {
    await using mesh = new SecuredMesh();
    const { port } = await mesh.serve();
    const old = () => ask(dial(port, { ...secureOptions(CALLER), maxVersion: "TLSv1.2" }));
    expect((await old()).text).not.toBe("");
    mesh.set({ policy: { minTlsVersion: "TLSv1.3" } });
    expect((await old()).text).toBe("");
    expect(said(await ask(dial(port))).peer).toBe(CALLER_ID);
  });
});

describe("what is none of the mesh's business", () => {
  it("a failed handshake is no client error of the application's", async () => {
    await using mesh = new SecuredMesh();
    const { server, port } = await mesh.serve();
    const errors: unknown[] = [];
    server.on("clientError", (error) => errors.push(error)).on("tlsClientError", (error) => errors.push(error));
    await ask(dial(port, secureOptions(undefined)));
    await until(() => mesh.security.read().refused["noCertificate"] === 1);
    expect(errors).toEqual([]);
  });

  it("what servers of other protocols say, first or not; under STRICT they are for members of the mesh, too", async () => {
    await using mesh = new SecuredMesh();
    undos.push(patchServers(mesh.servers));
    const port = await listen(createNetServer((socket) => socket.end("220 hello\r\n")));
    expect((await ask(dialPlain(port), "")).text).toBe("220 hello\r\n");
    mesh.set({ mode: "STRICT" });
    expect((await ask(dialPlain(port), "HELO\r\n")).text).toBe("");
    expect((await ask(dial(port), "")).text).toBe("220 hello\r\n");
  });

  it("a connection that a test made of streams passes", async () => {
    await using mesh = new SecuredMesh({ mode: "STRICT" });
    const { server } = await mesh.serve();
    const written: string[] = [];
    const duplex = new Duplex({
      read() {},
      write(chunk, _, done) {
        written.push(String(chunk));
        done();
      },
    });
    server.emit("connection", duplex);
    duplex.push(LAST_GET);
    await until(() => written.join("").includes("{"));
    duplex.destroy();
  });

  it("a connection that another mesh of the process has looked at keeps what that one found", async () => {
    await using one = new SecuredMesh();
    await using two = new SecuredMesh();
    const { server, port } = await one.serve((message, response) => {
      const peers = [one, two].map(({ contexts }) => contexts.current()?.peer?.principal ?? "nobody");
      response.end(JSON.stringify({ peer: peers.join(" "), url: message.url }));
    });
    attachServer(server, two.servers);
    expect(said(await ask(dial(port))).peer).toBe(`${CALLER_ID} ${CALLER_ID}`);
    expect(said(await ask(dialPlain(port))).peer).toBe("nobody nobody");
    one.set({ mode: "STRICT" });
    expect((await ask(dialPlain(port))).text).toBe("");
    expect(said(await ask(dial(port))).peer).toBe(`${CALLER_ID} ${CALLER_ID}`);
  });

  it("under the patch of the process, servers made before and after it", async () => {
    await using mesh = new SecuredMesh();
    const early = createServer(mesh.answer);
    undos.push(patchServers(mesh.servers));
    const late = createServer(mesh.answer);
    const late2 = createHttp2Server((_, response) => response.end(mesh.contexts.current()?.peer?.principal ?? ""));
    const [one, two, three] = [await listen(early), await listen(late), await listen(late2)];
    expect([said(await ask(dial(one))).peer, said(await ask(dial(two))).peer]).toEqual([CALLER_ID, CALLER_ID]);
    const session = connectHttp2(`https://127.0.0.1:${three}`, secureOptions(CALLER));
    let text = "";
    for await (const chunk of session.request()) text += chunk;
    session.close();
    expect(text).toBe(CALLER_ID);
  });
});
