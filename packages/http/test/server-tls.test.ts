import { once } from "node:events";
import { Agent, createServer, get, request as httpRequest } from "node:http";
import { connect as connectHttp2, createServer as createHttp2Server, type Http2Session } from "node:http2";
import { createServer as createSecureServer } from "node:https";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { systemClock } from "@inmesh/core";
import type { PeerMode } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { connectionOf } from "../src/server/tls/connection.js";
import {
  ask,
  BUNDLES,
  CALLER,
  CALLER_ID,
  dial,
  dialPlain,
  GET,
  type Heard,
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
import { TestIdentity } from "./test-identity.js";

const STRANGER = OTHER.issue("ns/shop/sa/web");

/** What a caller got, in a word. */
function outcome({ text, code }: Heard): string {
  if (text.startsWith("HTTP/1.1 200")) return `served ${said({ text }).peer || "nobody"}`;
  if (text !== "") return text.slice("HTTP/1.1 ".length, "HTTP/1.1 403".length);
  return code || "ended";
}

describe("PeerAuthentication", () => {
  const older = { maxVersion: "TLSv1.2" } as const;
  const plain = (port: number) => ask(dialPlain(port));
  const certified = (port: number) => ask(dial(port));
  const certified12 = (port: number) => ask(dial(port, { ...secureOptions(CALLER), ...older }));
  const bare = (port: number) => ask(dial(port, secureOptions(undefined)));
  const bare12 = (port: number) => ask(dial(port, { ...secureOptions(undefined), ...older }));
  const strange = (port: number) => ask(dial(port, secureOptions(STRANGER)));
  const strange12 = (port: number) => ask(dial(port, { ...secureOptions(STRANGER), ...older }));
  const callers = { plain, certified, certified12, bare, bare12, strange, strange12 };

  it.each([
    [
      "PERMISSIVE",
      {
        plain: "served nobody",
        certified: `served ${CALLER_ID}`,
        certified12: `served ${CALLER_ID}`,
        bare: "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED",
        bare12: /EPROTO|HANDSHAKE_FAILURE/,
        strange: /ended|ECONNRESET/,
        strange12: "ECONNRESET",
      },
    ],
    [
      "STRICT",
      {
        plain: "ECONNRESET",
        certified: `served ${CALLER_ID}`,
        certified12: `served ${CALLER_ID}`,
        bare: "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED",
        bare12: /EPROTO|HANDSHAKE_FAILURE/,
        strange: /ended|ECONNRESET/,
        strange12: "ECONNRESET",
      },
    ],
    // The bytes reach the application, whose parser answers as it always did: TLS it is not.
    [
      "DISABLE",
      {
        plain: "served nobody",
        certified: /WRONG_VERSION_NUMBER|EPROTO|PACKET_LENGTH/,
        certified12: /WRONG_VERSION_NUMBER|EPROTO|PACKET_LENGTH/,
        bare: /WRONG_VERSION_NUMBER|EPROTO|PACKET_LENGTH/,
        bare12: /WRONG_VERSION_NUMBER|EPROTO|PACKET_LENGTH/,
        strange: /WRONG_VERSION_NUMBER|EPROTO|PACKET_LENGTH/,
        strange12: /WRONG_VERSION_NUMBER|EPROTO|PACKET_LENGTH/,
      },
    ],
  ] as const)("%s", async (mode, expected) => {
    await using mesh = new SecuredMesh({ mode });
    const { port } = await mesh.serve();
    for (const [name, call] of Object.entries(callers)) {
      const want = expected[name as keyof typeof callers];
      const got = outcome(await call(port));
      if (typeof want === "string") expect([name, got]).toEqual([name, want]);
      else expect(`${name}: ${got}`).toMatch(want);
    }
    const { refused } = mesh.security.read();
    if (mode === "DISABLE") expect(refused).toEqual({});
    else
      expect(refused).toEqual({
        noCertificate: 2,
        untrustedChain: 2,
        ...(mode === "STRICT" && { plaintext: 1 }),
      });
    expect(mesh.security.read().ports[0]).toMatchObject({ mode, pending: 0, source: "PeerAuthentication/shop/tests" });
  });

  it("holds by port of the workload", async () => {
    await using mesh = new SecuredMesh();
    const [open, shut] = [await mesh.serve(), await mesh.serve()];
    mesh.set({ mode: "DISABLE", ports: { [shut.port]: "STRICT", [open.port]: "PERMISSIVE" } });
    expect([outcome(await plain(open.port)), outcome(await plain(shut.port))]).toEqual(["served nobody", "ECONNRESET"]);
    expect(
      mesh.security
        .read()
        .ports.map(({ mode }) => mode)
        .sort(),
    ).toEqual(["PERMISSIVE", "STRICT"]);
  });

  it("becomes STRICT: idle connections in plaintext end, what runs is finished, and nothing begins on them", async () => {
    await using mesh = new SecuredMesh();
    let release: (() => void) | undefined;
    const { port } = await mesh.serve((message, response) => {
      if (message.url === "/slow") release = () => response.end("slow");
      else response.end("quick");
    });
    const idle = dialPlain(port);
    const [idling, slow] = [hear(idle), dialPlain(port)];
    idle.write(GET);
    await until(() => idling.text.includes("quick"));
    const running = hear(slow);
    slow.write("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n");
    const kept = dial(port);
    const keeping = hear(kept);
    kept.write(GET);
    await until(() => release !== undefined && keeping.text.includes("quick"));
    mesh.set({ mode: "STRICT" });
    await idling.ended;
    expect(outcome(await plain(port))).toBe("ECONNRESET");
    slow.write("GET /next HTTP/1.1\r\nhost: a\r\n\r\n");
    await until(() => mesh.security.read().refused["plaintextRequest"] === 1);
    release?.();
    await running.ended;
    expect(running.text).toMatch(/200 OK[\s\S]*slow[\s\S]*403 Forbidden[\s\S]*connection: close[\s\S]*mTLS required/i);
    kept.write(LAST_GET); // over TLS nothing has changed
    await keeping.ended;
    expect(keeping.text.match(/quick/g)).toHaveLength(2);
  });

  it("becomes PERMISSIVE again for new connections", async () => {
    await using mesh = new SecuredMesh({ mode: "STRICT" });
    const { port } = await mesh.serve();
    mesh.set({ mode: "PERMISSIVE" });
    expect(outcome(await plain(port))).toBe("served nobody");
  });

  it("is asked about requests on connections that were there before the mesh", async () => {
    const server = createServer((_, response) => response.end("bare"));
    await using mesh = new SecuredMesh();
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as { port: number };
    const before = dialPlain(port);
    const heard = hear(before);
    before.write(GET);
    await until(() => heard.text.includes("bare"));
    mesh.set({ mode: "STRICT" });
    const { attachServer } = await import("../src/server/handler.js");
    attachServer(server, mesh.servers);
    before.write(GET);
    await heard.ended;
    expect(heard.text).toMatch(/403 Forbidden/);
    server.close();
    server.closeAllConnections();
  });

  it("lasts for a WebSocket in plaintext no longer than its grace", async () => {
    await using mesh = new SecuredMesh({ limits: { upgradedMs: 100 } });
    const { server, port } = await mesh.serve();
    server.on("upgrade", (_, socket) => socket.write("HTTP/1.1 101 Switching Protocols\r\n\r\nhello"));
    const socket = dialPlain(port);
    const heard = hear(socket);
    socket.write("GET /ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
    await until(() => heard.text.endsWith("hello"));
    mesh.set({ mode: "STRICT" });
    await heard.ended;
    const next = await ask(
      dialPlain(port),
      "GET /ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n",
    );
    expect(outcome(next)).toBe("ECONNRESET");
  });
});

describe("a process that is not ready", () => {
  it("without an identity is as if the mesh were not there, but under STRICT lets nobody in and says so once", async () => {
    await using mesh = new SecuredMesh({ identity: undefined });
    const { port } = await mesh.serve();
    expect(outcome(await ask(dialPlain(port)))).toBe("served nobody");
    expect(outcome(await ask(dial(port)))).toMatch(/WRONG_VERSION|EPROTO|PACKET_LENGTH/);
    mesh.set({ mode: "STRICT" });
    for (let i = 0; i < 3; i++) expect(outcome(await ask(dialPlain(port)))).toBe("ECONNRESET");
    expect(mesh.notices).toEqual([expect.stringMatching(/STRICT, and this process has no identity/)]);
    expect(mesh.security.problems).toEqual([`port ${port}: STRICT refuses everybody: this process has no identity`]);
  });

  it("without a certificate yet serves plaintext under PERMISSIVE, nobody under STRICT, and everybody once it has one", async () => {
    const identity = new TestIdentity(undefined);
    await using mesh = new SecuredMesh({ identity, limits: { configMs: 50 } });
    const { port } = await mesh.serve();
    expect(outcome(await ask(dialPlain(port)))).toBe("served nobody");
    expect(outcome(await ask(dial(port)))).toMatch(/ECONNRESET|ended/);
    mesh.set({ mode: "STRICT" });
    expect(outcome(await ask(dialPlain(port)))).toBe("ECONNRESET");
    expect(outcome(await ask(dial(port)))).toMatch(/ECONNRESET|ended/);
    expect(mesh.notices.filter((line) => line.includes("no certificate yet"))).toHaveLength(1);
    identity.set({ own: SERVER, bundles: BUNDLES });
    expect(outcome(await ask(dial(port)))).toBe(`served ${CALLER_ID}`);
  });

  it("has callers over TLS wait for its first certificate", async () => {
    const identity = new TestIdentity(undefined);
    await using mesh = new SecuredMesh({ identity, mode: "STRICT" });
    const { port } = await mesh.serve();
    const early = ask(dial(port));
    await until(() => mesh.security.read().ports[0]?.pending === 1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    identity.set({ own: SERVER, bundles: BUNDLES });
    expect(outcome(await early)).toBe(`served ${CALLER_ID}`);
    expect(mesh.notices).toEqual([]);
  });

  it("whose own certificate has expired is closed over TLS, and says why once", async () => {
    let now = Date.now();
    const clock = { ...systemClock, wallTime: () => now };
    await using mesh = new SecuredMesh({ clock, mode: "STRICT" });
    const { port } = await mesh.serve();
    expect(outcome(await ask(dial(port)))).toBe(`served ${CALLER_ID}`);
    now += 2 * 3_600_000;
    for (let i = 0; i < 3; i++) expect(outcome(await ask(dial(port)))).toMatch(/ECONNRESET|ended/);
    expect(mesh.notices).toEqual([expect.stringMatching(/certificate of this process has expired/)]);
    expect(mesh.security.read().refused).toEqual({ ownExpired: 3 });
  });

  it("holds connections until it knows who may come, and not for ever", async () => {
    await using mesh = new SecuredMesh({ waits: true, limits: { configMs: 150 } });
    const { port } = await mesh.serve();
    const early = ask(dial(port));
    await until(() => mesh.security.read().ports[0]?.pending === 1);
    mesh.set({ mode: "STRICT" });
    expect(outcome(await early)).toBe(`served ${CALLER_ID}`);
    await using never = new SecuredMesh({ waits: true, limits: { configMs: 100 } });
    const other = await never.serve();
    expect(outcome(await ask(dialPlain(other.port)))).toBe("ECONNRESET");
    expect(never.security.read().refused).toEqual({ noConfiguration: 1 });
  });
});

describe("whoever calls", () => {
  it("is known to requests, upgrades and streams, and to no plaintext", async () => {
    await using mesh = new SecuredMesh();
    const seen: (string | undefined)[] = [];
    const note = () => seen.push(mesh.contexts.current()?.peer?.id);
    const { server, port } = await mesh.serve((_, response) => {
      note();
      response.end("{}");
    });
    server.on("upgrade", (_, socket) => {
      note();
      socket.end("HTTP/1.1 101 Switching Protocols\r\n\r\n");
    });
    const upgrade = "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
    await ask(dial(port));
    await ask(dial(port), upgrade);
    await ask(dialPlain(port));
    await ask(dialPlain(port), upgrade);
    const h2 = createHttp2Server().on("stream", (stream) => {
      note();
      stream.respond({ ":status": 200 });
      stream.end();
    });
    const streams = await mesh.listen(h2);
    const session = connectHttp2(`https://127.0.0.1:${streams}`, secureOptions(CALLER));
    await once(session.request().resume(), "close");
    session.close();
    const id = `spiffe://${CALLER_ID}`;
    expect(seen).toEqual([id, id, undefined, undefined, id]);
  });

  it("is looked at once per certificate, and counted by connections and requests", async () => {
    const identity = new TestIdentity({ own: SERVER, bundles: BUNDLES });
    await using mesh = new SecuredMesh({ identity });
    const { port } = await mesh.serve();
    const twice = `${GET}${LAST_GET}`;
    await ask(dial(port), twice);
    await ask(dial(port), twice);
    await ask(
      dialPlain(port),
      twice.replaceAll("\r\n\r\n", "\r\nuser-agent: curl/8\u0001\r\n\r\n").replaceAll("\u0001", ""),
    );
    expect(identity.verified).toBe(1);
    expect(mesh.security.read().callers).toEqual([
      { caller: CALLER_ID, secured: true, connections: 2, requests: 4, agoMs: expect.any(Number) },
      { caller: "127.0.0.1 (curl/8)", secured: false, connections: 1, requests: 2, agoMs: expect.any(Number) },
    ]);
    expect(mesh.security.read().handshakes).toMatchObject({ full: 2, resumed: 0, running: 0, waiting: 0 });
  });

  it.each([
    ["has two SPIFFE ids", MESH.issue(["ns/shop/sa/web", "ns/shop/sa/admin"])],
    ["has none", MESH.issue("https://example.com/")],
    ["has a DNS name beside", { ...MESH.issue(["ns/shop/sa/web", "spiffe://cluster.local/ns/x/sa/y"]) }],
  ])("is refused when its certificate %s", async (_, own) => {
    await using mesh = new SecuredMesh();
    const { port } = await mesh.serve();
    expect(outcome(await ask(dial(port, secureOptions(own))))).toMatch(/ended|ECONNRESET/);
    expect(mesh.security.read().refused).toEqual({ identity: 1 });
    expect(mesh.notices).toHaveLength(1);
  });

  it("is refused when a root of another trust domain vouches for it, though TLS takes all roots for one", async () => {
    const bundles = { ...BUNDLES, "other.local": [OTHER.root.pem] };
    const identity = new TestIdentity({ own: SERVER, bundles });
    await using mesh = new SecuredMesh({ identity, policy: { trustDomains: ["cluster.local", "other.local"] } });
    const { port } = await mesh.serve();
    const forged = OTHER.issue("spiffe://cluster.local/ns/shop/sa/web");
    expect(outcome(await ask(dial(port, secureOptions(forged))))).toMatch(/ended|ECONNRESET/);
    expect(mesh.notices[0]).toMatch(/not vouched for by a root of cluster.local/);
    expect(outcome(await ask(dial(port, secureOptions(STRANGER))))).toBe("served other.local/ns/shop/sa/web");
  });

  it("is refused when its trust domain is none of policy's, though its root is known", async () => {
    const identity = new TestIdentity({ own: SERVER, bundles: { ...BUNDLES, "other.local": [OTHER.root.pem] } });
    await using mesh = new SecuredMesh({ identity });
    const { port } = await mesh.serve();
    expect(outcome(await ask(dial(port, secureOptions(STRANGER))))).toMatch(/ended|ECONNRESET/);
    expect(mesh.notices[0]).toMatch(/is of trust domain other.local, and this mesh takes cluster.local/);
    mesh.set({ policy: { trustDomains: ["cluster.local", "other.local"] } });
    expect(outcome(await ask(dial(port, secureOptions(STRANGER))))).toBe("served other.local/ns/shop/sa/web");
  });
});

describe("x-forwarded-client-cert", () => {
  const ours = (text: string) => {
    const hash = /Hash=([0-9a-f]{64});/.exec(text)?.[1];
    return `By=spiffe://cluster.local/ns/shop/sa/cart;Hash=${hash};Subject="CN=nobody";URI=spiffe://${CALLER_ID}`;
  };
  const CLAIM = "By=spiffe://x;Hash=0;URI=spiffe://cluster.local/ns/shop/sa/admin";
  const claiming = LAST_GET.replace("host: cart", `host: cart\r\nX-Forwarded-Client-Cert: ${CLAIM}`);

  it.each([
    ["SANITIZE_SET", "ours", ""],
    ["SANITIZE", "", ""],
    ["APPEND_FORWARD", "theirs and ours", ""],
    ["FORWARD_ONLY", "theirs", ""],
    ["ALWAYS_FORWARD_ONLY", "theirs", "theirs"],
  ] as const)("%s", async (forwardedClientCert, secured, plain) => {
    await using mesh = new SecuredMesh({ policy: { forwardedClientCert } });
    const raw: string[][] = [];
    const { port } = await mesh.serve((message, response) => {
      raw.push(message.rawHeaders.filter((name) => name.toLowerCase() === "x-forwarded-client-cert"));
      raw.push(message.headersDistinct["x-forwarded-client-cert"] ?? []);
      mesh.answer(message, response);
    });
    const want = (which: string, text: string) =>
      ({ ours: ours(text), theirs: CLAIM, "theirs and ours": `${CLAIM},${ours(text)}`, "": "" })[which];
    for (const [call, which] of [
      [dial(port), secured],
      [dialPlain(port), plain],
    ] as const) {
      const { cert } = said(await ask(call, claiming));
      expect(cert).toBe(want(which, cert));
    }
    expect(raw.map(({ length }) => length)).toEqual([secured, secured, plain, plain].map((which) => (which ? 1 : 0)));
  });

  it("is told to the application without a claim, on streams, and of upgrades", async () => {
    await using mesh = new SecuredMesh();
    const { server, port } = await mesh.serve();
    const { cert } = said(await ask(dial(port)));
    expect(cert).toBe(ours(cert));
    let upgraded = "";
    server.on("upgrade", (message, socket) => {
      upgraded = String(message.headers["x-forwarded-client-cert"]);
      socket.end("HTTP/1.1 101 Switching Protocols\r\n\r\n");
    });
    await ask(dial(port), claiming.replace("connection: close", "connection: upgrade\r\nupgrade: echo"));
    expect(upgraded).toBe(cert);
    const h2 = createHttp2Server((message, response) =>
      response.end(String(message.headers["x-forwarded-client-cert"])),
    );
    const session = connectHttp2(`https://127.0.0.1:${await mesh.listen(h2)}`, secureOptions(CALLER));
    let text = "";
    for await (const chunk of session.request({ "x-forwarded-client-cert": CLAIM })) text += chunk;
    session.close();
    expect(text).toBe(cert);
  });

  it("is left as it came where the process has no identity", async () => {
    await using mesh = new SecuredMesh({ identity: undefined });
    const { port } = await mesh.serve();
    expect(said(await ask(dialPlain(port), claiming)).cert).toBe(CLAIM);
  });
});

describe("the application", () => {
  it.each([
    [false, undefined],
    [true, true],
  ])("sees that its callers speak TLS: %s", async (tlsVisible, encrypted) => {
    await using mesh = new SecuredMesh({ tlsVisible });
    const { server, port } = await mesh.serve((message, response) => {
      const socket = message.socket as TLSSocket & { server?: unknown };
      const { encrypted: seen, remoteAddress, authorized } = socket;
      response.end(
        JSON.stringify({ seen: seen || undefined, remoteAddress, authorized, its: socket.server === server }),
      );
    });
    const heard = await ask(dial(port));
    const want = { ...(encrypted && { seen: true }), remoteAddress: "127.0.0.1", authorized: true, its: true };
    expect(said(heard)).toEqual(want);
  });

  it("hears of connections once each, with the socket that carries their requests", async () => {
    await using mesh = new SecuredMesh();
    const connections: Socket[] = [];
    const requests: Socket[] = [];
    const { server, port } = await mesh.serve((message, response) => {
      requests.push(message.socket);
      response.end();
    });
    server.on("connection", (socket) => connections.push(socket));
    await ask(dial(port));
    await ask(dialPlain(port));
    expect(requests).toEqual(connections);
    expect(connections).toHaveLength(2);
    const counted = await new Promise((resolve) => server.getConnections((_, count) => resolve(count)));
    expect(counted).toBe(0);
  });

  it("hands connections of its own to its server, and they are looked at, too", async () => {
    await using mesh = new SecuredMesh({ mode: "STRICT" });
    const server = createServer(mesh.answer);
    const { attachServer } = await import("../src/server/handler.js");
    attachServer(server, mesh.servers);
    const { createServer: createNetServer } = await import("node:net");
    const front = createNetServer((socket) => server.emit("connection", socket));
    await once(front.listen(0, "127.0.0.1"), "listening");
    const { port } = front.address() as { port: number };
    expect(outcome(await ask(dial(port)))).toBe(`served ${CALLER_ID}`);
    expect(outcome(await ask(dialPlain(port)))).toBe("ECONNRESET");
    front.close();
  });

  it("may use pipes, whose mode is the workload's", async () => {
    await using mesh = new SecuredMesh();
    const server = createServer(mesh.answer);
    const { attachServer } = await import("../src/server/handler.js");
    attachServer(server, mesh.servers);
    const path = join(tmpdir(), `inmesh-pipe-${process.pid}.sock`);
    await once(server.listen(path), "listening");
    const { connect } = await import("node:net");
    const { connect: connectTls } = await import("node:tls");
    const secure = () => connectTls({ path, ...secureOptions(CALLER) });
    expect([outcome(await ask(connect(path))), outcome(await ask(secure()))]).toEqual([
      "served nobody",
      `served ${CALLER_ID}`,
    ]);
    mesh.set({ mode: "STRICT" });
    expect([(await ask(connect(path))).text, outcome(await ask(secure()))]).toEqual(["", `served ${CALLER_ID}`]);
    server.close();
  });
});

describe("an application that speaks TLS itself", () => {
  async function https(mode: PeerMode) {
    const mesh = new SecuredMesh({ mode });
    const server = createSecureServer({ cert: SERVER.chain, key: SERVER.key }, mesh.answer);
    return { mesh, server, port: await mesh.listen(server) };
  }

  it("keeps its certificates and callers, and under STRICT turns requests away, aloud", async () => {
    const { mesh, server, port } = await https("PERMISSIVE");
    await using _ = mesh;
    const call = () => ask(dial(port, secureOptions(undefined)));
    expect(outcome(await call())).toBe("served nobody");
    expect(mesh.security.read().ports).toEqual([expect.objectContaining({ port, tls: "application", problem: "" })]);
    mesh.set({ mode: "STRICT" });
    expect(mesh.notices).toEqual([
      expect.stringMatching(`port ${port} refuses everybody: PeerAuthentication is STRICT`),
    ]);
    expect((await call()).text).toMatch(/403 Forbidden[\s\S]*cannot ask for one on this port/);
    server.on("upgrade", (_message, socket) => socket.end("HTTP/1.1 101 Switching Protocols\r\n\r\n"));
    const upgrade = "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
    expect((await ask(dial(port, secureOptions(undefined)), upgrade)).text).toMatch(/^HTTP\/1.1 403/);
    expect(mesh.security.read().refused).toEqual({ applicationTls: 2 });
    expect(mesh.security.problems).toEqual([expect.stringMatching(/the application speaks TLS here itself/)]);
    mesh.set({ ports: { [port]: "DISABLE" } });
    expect(outcome(await call())).toBe("served nobody");
    expect(mesh.security.problems).toEqual([]);
  });

  it("says so when it begins to listen under STRICT", async () => {
    const { mesh, port } = await https("STRICT");
    await using _ = mesh;
    expect(mesh.notices).toEqual([expect.stringMatching(`port ${port} refuses everybody`)]);
  });
});

describe("HTTP/2", () => {
  async function h2(mesh: SecuredMesh) {
    const sessions: Http2Session[] = [];
    const server = createHttp2Server((message, response) => {
      const peer = mesh.contexts.current()?.peer?.principal ?? "nobody";
      response.end(`${peer} ${message.scheme} ${connectionOf(message.stream.session?.socket)?.serverName}`);
    });
    server.on("session", (session) => sessions.push(session));
    return { port: await mesh.listen(server), sessions };
  }
  async function call(url: string, options = {}): Promise<string> {
    const session = connectHttp2(url, options);
    let failure = "";
    session.on("error", (error: NodeJS.ErrnoException) => {
      failure = error.code ?? error.message;
    });
    const stream = session.request();
    stream.on("error", () => {});
    let text = "";
    stream.on("data", (chunk) => {
      text += chunk;
    });
    await new Promise((resolve) => stream.once("close", resolve));
    session.close();
    return text || failure || "ended";
  }

  it("is served in clear with prior knowledge, and over TLS with and without a word about it", async () => {
    await using mesh = new SecuredMesh();
    const { port } = await h2(mesh);
    expect(await call(`http://127.0.0.1:${port}`)).toMatch(/^nobody http/);
    const named = { ...secureOptions(CALLER), servername: "outbound_.80_._.cart" };
    expect(await call(`https://127.0.0.1:${port}`, named)).toBe(`${CALLER_ID} https outbound_.80_._.cart`);
    const silent = dial(port, { ...secureOptions(CALLER) });
    expect(await call(`http://127.0.0.1:${port}`, { createConnection: () => silent })).toMatch(`${CALLER_ID} http`);
    mesh.set({ mode: "STRICT" });
    expect(await call(`http://127.0.0.1:${port}`)).toMatch(/ECONNRESET|ended|ERR_HTTP2/);
    expect(await call(`https://127.0.0.1:${port}`, named)).toMatch(CALLER_ID);
  });

  it("ends sessions in plaintext with GOAWAY when STRICT comes", async () => {
    await using mesh = new SecuredMesh();
    const { port } = await h2(mesh);
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    await once(session.request().resume(), "close");
    const goaway = once(session, "goaway");
    mesh.set({ mode: "STRICT" });
    await goaway;
    await until(() => session.destroyed || session.closed);
  });
});

describe("ALPN", () => {
  it.each([
    [["http/1.1"], "http/1.1"],
    [["h2", "http/1.1"], "http/1.1"],
    [["istio-http/1.1", "istio"], "istio-http/1.1"],
    [["istio"], "istio"],
    [["istio-peer-exchange", "istio"], "istio"],
  ])("answers %s with %s", async (ALPNProtocols, expected) => {
    await using mesh = new SecuredMesh();
    const { port } = await mesh.serve();
    const socket = dial(port, { ...secureOptions(CALLER), ALPNProtocols });
    const heard = await ask(socket);
    expect([outcome(heard), socket.alpnProtocol]).toEqual([`served ${CALLER_ID}`, expected]);
  });

  it("refuses what the server does not speak by TLS's own alert", async () => {
    await using mesh = new SecuredMesh();
    const { port } = await mesh.serve();
    const heard = await ask(dial(port, { ...secureOptions(CALLER), ALPNProtocols: ["h2"] }));
    expect(heard.text).toBe("");
    expect(heard.code).toMatch(/EPROTO|NO_APPLICATION_PROTOCOL/);
    await until(() => mesh.security.read().refused["handshake"] === 1);
  });
});

describe("requests over many connections", () => {
  it("share kept connections, and the identity is that of the connection", async () => {
    await using mesh = new SecuredMesh();
    const { port } = await mesh.serve();
    const own = MESH.issue("ns/shop/sa/other");
    const agents = [CALLER, own].map(
      (each) =>
        new (class extends Agent {
          override createConnection() {
            return dial(port, secureOptions(each));
          }
        })({ keepAlive: true, maxSockets: 1 }),
    );
    const answers: string[] = [];
    for (let turn = 0; turn < 6; turn++) {
      const agent = agents[turn % 2]!;
      answers.push(
        await new Promise((resolve, reject) =>
          get({ port, host: "127.0.0.1", agent }, async (response) => {
            let text = "";
            for await (const chunk of response) text += chunk;
            resolve(said({ text }).peer.split("/").at(-1) ?? "");
          }).on("error", reject),
        ),
      );
    }
    expect(answers).toEqual(["web", "other", "web", "other", "web", "other"]);
    expect(mesh.security.read().handshakes.full).toBe(2);
    for (const agent of agents) agent.destroy();
  });

  it("carry large bodies and 100-continue over TLS", async () => {
    await using mesh = new SecuredMesh();
    const { port } = await mesh.serve((message, response) => {
      let bytes = 0;
      message.on("data", (chunk) => {
        bytes += chunk.length;
      });
      message.on("end", () => response.end(Buffer.alloc(bytes, 1)));
    });
    const body = Buffer.alloc(3_000_000, 1);
    const got = await new Promise<number>((resolve, reject) => {
      const sent = httpRequest(
        {
          ...{ port, host: "127.0.0.1", method: "POST", headers: { expect: "100-continue" } },
          createConnection: () => dial(port),
        },
        async (response) => {
          let bytes = 0;
          for await (const chunk of response) bytes += chunk.length;
          resolve(bytes);
        },
      );
      sent.on("error", reject);
      sent.on("continue", () => sent.end(body));
      sent.flushHeaders();
    });
    expect(got).toBe(body.length);
  });
});
