/**
 * Calls between members of the mesh, over real sockets and with real certificates: who is called encrypted, whom a client
 * believes, and that nobody else gets a byte of a request.
 */

import { once } from "node:events";
import http from "node:http";
import { createSecureServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { systemClock } from "@inmesh/core";
import { FakeClock } from "@inmesh/core/testing";
import type { ClientTls, Endpoint } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { HttpHealthProber } from "../../http/src/health/http-health-prober.js";
import { MeshAgent } from "../../http/src/node/index.js";
import {
  connect,
  type FakeMesh,
  type FakeMeshOptions,
  type FakeService,
  fakeMesh,
  listen,
  listenTcp,
  request,
  retries,
  until,
  upgrade,
} from "../../http/test/mesh.js";
import { listenTls } from "../../http/test/tls-server.js";
import { identityOf, MeshAuthority, PAY, type TestIdentity, WEB } from "./mesh-authority.js";

const authority = new MeshAuthority();
const stranger = new MeshAuthority();

/** Auto mTLS as it is compiled for a service without a rule. */
function auto(more: Partial<ClientTls> = {}): Partial<ClientTls> {
  return { mode: "DISABLE", auto: true, identities: [PAY], ...more };
}

/** `tls: { mode: ISTIO_MUTUAL }` of DestinationRule/default/pay. */
function mutual(more: Partial<ClientTls> = {}): Partial<ClientTls> {
  const resource = { kind: "DestinationRule", namespace: "default", name: "pay" };
  return { mode: "ISTIO_MUTUAL", identities: [PAY], source: { resource, path: "spec.trafficPolicy.tls" }, ...more };
}

function member(port: number, isMember = true): Endpoint {
  const id = `127.0.0.1:${port}`;
  return { id, address: "127.0.0.1", port, weight: 1, labels: {}, workloads: [], ...(isMember && { member: true }) };
}

interface MeshTo {
  readonly ports: readonly number[];
  readonly tls?: Partial<ClientTls>;
  readonly more?: Partial<FakeService>;
  readonly options?: FakeMeshOptions;
}

/** A client with the identity of `web`, and the service `pay` on these ports. */
async function meshTo({ ports, tls = auto(), more = {}, options = {} }: MeshTo) {
  const own = await identityOf(authority);
  const endpoints = ports.map((port) => member(port));
  const mesh = fakeMesh({ pay: { endpoints, tls, ...more } }, { identity: own.identity, ...options });
  const close = async () => {
    await mesh.close();
    await own[Symbol.asyncDispose]();
  };
  return Object.assign(mesh, { own, [Symbol.asyncDispose]: close });
}

async function ask(mesh: FakeMesh, path = "/", options: { method?: string; body?: string } = {}) {
  const given = { dispatcher: mesh.dispatcher, ...options } as Parameters<typeof request>[1];
  const { statusCode, headers, body } = await request(`http://pay${path}`, given);
  return { status: statusCode, code: headers["x-inmesh-error"], text: await body.text() };
}

const states = (mesh: FakeMesh) => mesh.engine.clusters.all()[0]!.states; // called before
const stats = (mesh: FakeMesh) => mesh.engine.clusters.all()[0]!.stats.read();

describe("a call to a member of the mesh", () => {
  it("shows who calls, asks by Istio's name and protocols, and keeps the connection", async () => {
    await using server = await authority.listen();
    await using mesh = await meshTo({ ports: [server.port] });
    for (const path of ["/a", "/b"]) {
      expect(await ask(mesh, path)).toMatchObject({ status: 200, text: "secure" });
      await new Promise(setImmediate);
    }
    const serverName = "outbound_.80_._.pay.default.svc.cluster.local";
    expect(server.seen).toMatchObject([
      { host: "pay", path: "/a", serverName, alpn: "http/1.1", peer: `URI:${WEB}` },
      { host: "pay", path: "/b", serverName },
    ]);
    expect(server.accepted()).toBe(1);
  });

  it("goes to anybody whom the roots vouch for where policy names nobody and the operator accepts that, and to no stranger", async () => {
    await using server = await authority.listen();
    await using other = await stranger.listen();
    await using refusing = await meshTo({ ports: [server.port], tls: mutual({ identities: [] }) });
    expect(await ask(refusing)).toMatchObject({ status: 503, code: "WRONG_PEER" });
    await using mesh = await meshTo({ ports: [server.port], tls: mutual({ identities: [], anyIdentity: true }) });
    expect(await ask(mesh)).toMatchObject({ status: 200, text: "secure" });
    await using lost = await meshTo({ ports: [other.port], tls: mutual({ identities: [], anyIdentity: true }) });
    expect(await ask(lost)).toMatchObject({ status: 503, code: "WRONG_PEER" });
    expect([server.seen.length, other.seen.length]).toEqual([1, 0]);
  });

  it("is known to servers that speak none but Istio's own protocols", async () => {
    await using server = await authority.listen(PAY, { ALPNProtocols: ["istio-http/1.1"] });
    await using mesh = await meshTo({ ports: [server.port] });
    expect([(await ask(mesh)).status, server.seen[0]?.alpn]).toEqual([200, "istio-http/1.1"]);
  });

  it("is encrypted for members only, and for an endpoint from when it is one", async () => {
    await using encrypted = await authority.listen();
    const kinds: string[] = [];
    await using other = await listenTcp((socket) =>
      socket.on("data", (data: Buffer) => {
        kinds.push(data[0] === 0x16 ? "tls" : "plain");
        if (data[0] === 0x16) socket.destroy();
        else socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
      }),
    );
    await using mesh = await meshTo({ ports: [] });
    mesh.publish({ pay: { endpoints: [member(encrypted.port), member(other.port, false)], tls: auto() } });
    for (let n = 0; n < 4; n++) expect((await ask(mesh)).status).toBe(200);
    expect([encrypted.seen.length, encrypted.plaintext(), kinds]).toEqual([2, 0, ["plain", "plain"]]);
    mesh.publish({ pay: { endpoints: [member(other.port, false)], tls: auto({ strict: true }) } });
    await ask(mesh);
    expect(kinds.at(-1)).toBe("tls");
    mesh.publish({ pay: { endpoints: [member(other.port, false)], tls: auto() } });
    await ask(mesh);
    expect(kinds.at(-1)).toBe("plain");
    mesh.publish({ pay: { endpoints: [{ ...member(other.port), labels: { now: "a member" } }], tls: auto() } });
    await ask(mesh);
    expect(kinds.at(-1)).toBe("tls");
  });

  it.each([
    ["auto mTLS is plaintext", auto(), { status: 200, text: "plain" }],
    ["a rule's ISTIO_MUTUAL fails", mutual(), { status: 503, code: "TLS_UNAVAILABLE" }],
  ])("by a process without identity: %s", async (_, tls, expected) => {
    await using server = await listen((_, response) => response.end("plain"));
    const mesh = fakeMesh({ pay: { endpoints: [member(server.port)], tls } });
    const answer = await ask(mesh);
    await mesh.close();
    expect(answer).toMatchObject(expected);
    if (answer.status === 503) {
      expect(answer.text).toContain(
        "DestinationRule/default/pay spec.trafficPolicy.tls asks for one: this process has none",
      );
      expect(server.accepted()).toBe(0);
    }
  });

  it.each(["http/1.1", "h2"])(
    "is shortened over %s by the ticket of a verified one, and by none of another generation",
    async () => {
      await using server = await authority.listen();
      await using mesh = await meshTo({ ports: [server.port] });
      for (let n = 0; n < 2; n++) await ask(mesh, "/close");
      await mesh.own.renew(authority.issue(WEB));
      for (let n = 0; n < 2; n++) await ask(mesh, "/close");
      expect(server.seen.map(({ resumed }) => resumed)).toEqual([false, true, false, true]);
    },
  );
});

describe("a rogue that is registered as the service gets no byte of a request", () => {
  const federated = new MeshAuthority("other.local");
  /** Of the authority of other.local, which has no say about cluster.local. */
  const forged = () => {
    const rogue = new MeshAuthority("cluster.local");
    return {
      rogue,
      bundles: new Map([
        ["cluster.local", authority.roots.join("")],
        ["other.local", rogue.roots.join("")],
      ]),
    };
  };

  it.each([
    [
      "with an identity of its own",
      () => authority.issue(WEB),
      /it is "spiffe:\/\/cluster\.local\/ns\/default\/sa\/web", expected "spiffe:\/\/cluster\.local\/ns\/default\/sa\/pay"/,
    ],
    [
      "with the name, in another namespace",
      () => authority.issue("spiffe://cluster.local/ns/rogue/sa/pay"),
      /it is .*ns\/rogue\/sa\/pay", expected/,
    ],
    [
      "with the right name, by an authority of its own",
      () => stranger.issue(PAY),
      /not vouched for by the roots of this mesh: .*expected "spiffe/,
    ],
    [
      "with the right name, by an authority of another trust domain",
      () => federated.issue("spiffe://other.local/ns/default/sa/pay"),
      /not vouched for/,
    ],
  ])("%s", async (_, leaf, why) => {
    await using server = await listenTls(leaf());
    await using mesh = await meshTo({ ports: [server.port], more: { retry: retries(2, ["connect-failure", "5xx"]) } });
    const { status, code, text } = await ask(mesh, "/secret", { method: "POST", body: "secret" });
    expect([status, code, server.seen.length, server.accepted(), server.plaintext()]).toEqual([
      503,
      "WRONG_PEER",
      0,
      1,
      0,
    ]);
    expect(text).toMatch(why);
    expect(text).toContain(`showing ${WEB}`);
    expect(text).toContain("see auto mTLS");
    expect(text).toContain("Not tried again, because there is no other endpoint");
    expect(states(mesh)[0]).toMatchObject({ failures: 1, refusals: 1 });
    expect(stats(mesh)).toMatchObject({ wrongPeers: 1, noRetry: { wrong_peer: 1 } });
  });

  it("with a name of our trust domain, by the root of a federated one", async () => {
    const { rogue, bundles } = forged();
    await using server = await listenTls(rogue.issue(PAY));
    await using own = await identityOf(authority, authority.issue(WEB), bundles);
    const mesh = fakeMesh({ pay: { endpoints: [member(server.port)], tls: auto() } }, { identity: own.identity });
    const { code, text } = await ask(mesh);
    await mesh.close();
    expect([code, server.seen.length]).toEqual(["WRONG_PEER", 0]);
    expect(text).toMatch(/its certificate is refused: .*cluster\.local/);
  });

  it("that speaks plaintext: it cannot talk callers down to it", async () => {
    const heard: Buffer[] = [];
    await using rogue = await listenTcp((socket) => {
      socket.on("data", (data: Buffer) => {
        heard.push(data);
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi");
      });
    });
    await using mesh = await meshTo({ ports: [rogue.port], more: { retry: retries(2, ["connect-failure", "5xx"]) } });
    const { status, text } = await ask(mesh, "/secret", { method: "POST", body: "secret" });
    expect(status).toBe(503);
    expect(text).toContain("speaks no TLS on this port");
    expect(heard.length).toBeGreaterThan(0);
    expect(heard.every((data) => !data.includes("secret"))).toBe(true);
  });

  it("over keep-alive agents, upgrades, HTTP/2 and health checks as well", async () => {
    await using server = await listenTls(authority.issue(WEB));
    await using mesh = await meshTo({ ports: [server.port] });
    const agent = new MeshAgent(mesh.client);
    const sent = http.get("http://pay/secret", { agent });
    const [error] = (await once(sent, "error")) as [{ code?: string }];
    expect(error.code).toBe("WRONG_PEER");
    const switched = await upgrade("http://pay/secret", { dispatcher: mesh.dispatcher, protocol: "chat" }).then(
      () => "upgraded",
      String,
    );
    expect(switched).not.toBe("upgraded");
    mesh.publish({
      pay: { endpoints: [member(server.port)], tls: auto(), connection: { protocol: "http2" } },
    });
    expect((await ask(mesh, "/secret")).code).toBe("WRONG_PEER");
    const finding = await checked(mesh.own, server.port);
    expect(finding).toMatchObject({ well: false, found: expect.stringContaining("expected") });
    expect([server.seen.length, server.plaintext()]).toEqual([0, 0]);
    agent.destroy();
  });

  it("is passed by: the call is tried elsewhere, even a POST, and the next ones do not meet it", async () => {
    await using rogue = await listenTls(authority.issue(WEB));
    await using good = await authority.listen();
    const retry = retries(2, ["connect-failure"], { avoidPreviousHosts: false });
    await using mesh = await meshTo({ ports: [rogue.port, good.port], more: { retry } });
    for (let n = 0; n < 6; n++) expect((await ask(mesh, "/", { method: "POST", body: "x" })).status).toBe(200);
    expect([rogue.seen.length, rogue.accepted(), good.seen.length]).toEqual([0, 1, 6]);
    expect(stats(mesh)).toMatchObject({ wrongPeers: 1 });
  });
});

/** One health check of `pay` on this port. */
function checked(own: TestIdentity, port: number) {
  const prober = new HttpHealthProber({ clock: systemClock, identity: own.identity });
  const healthCheck = { kind: "http", path: "/healthz", authority: "", statuses: [[200, 299]], port: 0 };
  const times = { intervalMs: 50, timeoutMs: 2_000, unhealthyThreshold: 2, healthyThreshold: 2 };
  const mesh = fakeMesh({
    pay: {
      endpoints: [],
      tls: auto(),
      policy: { healthCheck: { ...healthCheck, ...times } } as FakeService["policy"] & {},
    },
  });
  const cluster = mesh.engine.store.current!.cluster("outbound|80||pay.default.svc.cluster.local")!;
  const probe = prober.open({ of: { endpoint: member(port) }, cluster });
  if (typeof probe === "string") throw new Error(probe);
  return new Promise((resolve) => probe.ask(resolve)).finally(() => mesh.close());
}

describe("credentials", () => {
  it("that have not come yet are waited for", async () => {
    await using server = await authority.listen();
    await using own = await identityOf(authority, "later");
    const mesh = fakeMesh({ pay: { endpoints: [member(server.port)], tls: auto() } }, { identity: own.identity });
    const answers = Promise.all([ask(mesh), ask(mesh)]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([mesh.calls, server.accepted()]).toEqual([[], 0]);
    await own.renew(authority.issue(WEB));
    expect((await answers).map(({ status }) => status)).toEqual([200, 200]);
    await mesh.close();
  });

  it("that do not come in time fail the call, which is never sent in plaintext instead", async () => {
    await using server = await authority.listen();
    await using own = await identityOf(authority, "later");
    await until(() => own.identity.status.reason !== undefined); // it has asked once
    const connection = { connectTimeoutMs: 60 };
    const service = { endpoints: [member(server.port)], tls: auto(), connection };
    const mesh = fakeMesh(
      { pay: { ...service, retry: retries(2, ["connect-failure", "5xx"]) } },
      { identity: own.identity },
    );
    const { status, code, text } = await ask(mesh);
    expect([status, code, server.accepted()]).toEqual([503, "TLS_UNAVAILABLE", 0]);
    expect(text).toContain("the test has none to give");
    expect(states(mesh)[0]).toMatchObject({ failures: 0, refusals: 0 });
    await mesh.close();
  });

  it("that have expired fail the call, and say so", async () => {
    await using server = await authority.listen();
    await using own = await identityOf(authority, authority.issue(WEB, 1_000));
    const clock = new FakeClock();
    clock.jumpWall(Date.now() + 5_000 - clock.wallTime());
    const options = { identity: own.identity, transportClock: clock };
    const mesh = fakeMesh(
      { pay: { endpoints: [member(server.port)], tls: auto(), connection: { connectTimeoutMs: 200 } } },
      options,
    );
    const answer = ask(mesh);
    await until(() => own.identity.status.state === "expired");
    clock.advance(200);
    const { code, text } = await answer;
    expect([code, server.accepted()]).toEqual(["TLS_UNAVAILABLE", 0]);
    expect(text).toMatch(/its credentials expired at \d{4}-/);
    await mesh.close();
  });

  it("that are renewed leave open connections alone, which end in the second half of their certificates' life", async () => {
    await using server = await authority.listen();
    const clock = new FakeClock();
    clock.jumpWall(Date.now() - clock.wallTime());
    await using own = await identityOf(authority, authority.issue(WEB, 120_000));
    const options = { identity: own.identity, transportClock: clock };
    const mesh = fakeMesh({ pay: { endpoints: [member(server.port)], tls: auto() } }, options);
    /** One request each 5 s, so that nothing is closed for being idle. @returns seconds after which there was another connection */
    const used = async (seconds: number): Promise<number> => {
      for (let at = 0; at < seconds; at += 5) {
        await ask(mesh);
        await new Promise(setImmediate);
        if (server.accepted() > 1) return at;
        clock.advance(5_000);
      }
      return Number.POSITIVE_INFINITY;
    };
    expect(await used(20)).toBe(Number.POSITIVE_INFINITY);
    await own.renew(authority.issue(WEB));
    const endedAt = await used(110);
    expect(endedAt).toBeGreaterThanOrEqual(35); // and 20 before
    expect(endedAt).toBeLessThan(105);
    await mesh.close();
  });

  it("without the root by which a server was verified end its connections, and its tickets", async () => {
    const clock = new FakeClock();
    clock.jumpWall(Date.now() - clock.wallTime());
    const next = new MeshAuthority();
    const both = new Map([["cluster.local", [...authority.roots, ...next.roots].join("")]]);
    // It takes both, as servers do while roots overlap.
    await using server = await authority.listen(PAY, { ca: [...authority.roots, ...next.roots] });
    await using mesh = await meshTo({ ports: [server.port], options: { transportClock: clock } });
    await ask(mesh, "/close");
    await ask(mesh);
    await mesh.own.renew(next.issue(WEB), both);
    await new Promise(setImmediate);
    await ask(mesh);
    expect(server.seen.map(({ resumed }) => resumed)).toEqual([false, true, true]);
    expect(server.accepted()).toBe(2); // a root more ends nothing
    await mesh.own.renew(next.issue(WEB), new Map([["cluster.local", next.roots.join("")]]));
    await new Promise(setImmediate);
    await ask(mesh); // whoever calls finds that it changed; within a second the connection ends
    clock.advance(1_000);
    await until(() => server.sockets.size === 0);
    expect((await ask(mesh)).code).toBe("WRONG_PEER");
    expect(server.seen.length).toBe(4);
  });

  it("are not resumed with once the server's certificate has expired", async () => {
    const clock = new FakeClock();
    clock.jumpWall(Date.now() - clock.wallTime());
    await using server = await listenTls(authority.issue(PAY, 60_000), { requestCert: true, ca: [...authority.roots] });
    await using mesh = await meshTo({ ports: [server.port], options: { transportClock: clock } });
    for (let n = 0; n < 2; n++) await ask(mesh, "/close");
    clock.jumpWall(61_000);
    await ask(mesh, "/close");
    // The clock of OpenSSL is the machine's: it still takes the certificate, but has had to look at it.
    expect(server.seen.map(({ resumed }) => resumed)).toEqual([false, true, false]);
  });

  it("that rotate on both sides all the time fail no call", async () => {
    await using server = await authority.listen();
    await using mesh = await meshTo({ ports: [server.port] });
    let going = true;
    const statuses: number[] = [];
    const rotate = async () => {
      for (let n = 0; n < 10 || statuses.length < 30; n++) {
        await mesh.own.renew(authority.issue(WEB));
        server.server.setSecureContext({ ...authority.issue(PAY), ca: [...authority.roots] });
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      going = false;
    };
    const load = async (path: string) => {
      while (going) statuses.push((await ask(mesh, path)).status);
    };
    await Promise.all([rotate(), ...["/", "/close", "/", "/close"].map(load)]);
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
  });
});

describe("a server that", () => {
  it("never ends the handshake is given up within connectTimeout", async () => {
    await using silent = await listenTcp(() => {});
    await using mesh = await meshTo({ ports: [silent.port], more: { connection: { connectTimeoutMs: 80 } } });
    const { code, text } = await ask(mesh);
    expect([code, text]).toEqual([
      "CONNECT_FAILED",
      expect.stringContaining("no end of the TLS handshake within 80 ms"),
    ]);
    await until(() => mesh.transport.clients <= 1);
  });

  it.each(["TLSv1.3", "TLSv1.2"] as const)(
    "refuses our identity over %s is suspected of it, and counted so",
    async (maxVersion) => {
      await using server = await authority.listen(PAY, { ca: [...stranger.roots], maxVersion });
      await using mesh = await meshTo({ ports: [server.port] });
      const { code, text } = await ask(mesh);
      expect([503, code, server.seen.length]).toEqual([
        503,
        maxVersion === "TLSv1.3" ? "UPSTREAM_RESET" : "CONNECT_FAILED",
        0,
      ]);
      expect(text).toContain(WEB);
      expect(text).toContain("may have refused");
      if (maxVersion === "TLSv1.3") expect(stats(mesh)).toMatchObject({ rejections: 1, wrongPeers: 0 });
    },
  );

  it("closes a connection that has served before is suspected of nothing", async () => {
    await using server = await authority.listen();
    await using mesh = await meshTo({ ports: [server.port] });
    await ask(mesh);
    server.server.on("request", (_, response) => response.socket?.destroy());
    await ask(mesh);
    expect(stats(mesh)).toMatchObject({ rejections: 0 });
  });
});

describe("a connection is never used under two different checks of identity", () => {
  it("when policy changes who may serve, and when it says the same again", async () => {
    await using server = await authority.listen();
    await using mesh = await meshTo({ ports: [server.port] });
    const publish = (identities: readonly string[]) =>
      mesh.publish({ pay: { endpoints: [member(server.port)], tls: auto({ identities }) } });
    await ask(mesh);
    publish([PAY, WEB]);
    await ask(mesh);
    expect([server.accepted(), server.seen.map(({ resumed }) => resumed)]).toEqual([2, [false, false]]);
    publish([WEB]);
    expect((await ask(mesh)).code).toBe("WRONG_PEER");
    publish([PAY]);
    publish([PAY]);
    expect((await ask(mesh)).status).toBe(200);
    expect(server.seen.length).toBe(3);
  });

  it("over mesh.agent()", async () => {
    await using server = await authority.listen();
    await using mesh = await meshTo({ ports: [server.port] });
    const agent = new MeshAgent(mesh.client);
    const get = async () => {
      const sent = http.get("http://pay/", { agent });
      const [response] = (await once(sent, "response")) as [http.IncomingMessage];
      for await (const _ of response);
      await until(() => sent.closed);
    };
    for (let n = 0; n < 2; n++) await get();
    await mesh.own.renew(authority.issue(WEB));
    await get();
    expect([server.accepted(), server.seen[0]?.peer]).toEqual([1, `URI:${WEB}`]);
    mesh.publish({ pay: { endpoints: [member(server.port)], tls: auto({ identities: [WEB] }) } });
    await expect(get()).rejects.toMatchObject({ code: "WRONG_PEER" });
    expect(server.seen.length).toBe(3);
    agent.destroy();
  });
});

describe("over the mesh's TLS goes", () => {
  it("an upgrade, and a CONNECT", async () => {
    await using server = await authority.listen();
    server.server.on("upgrade", (_, socket: Duplex) => {
      socket.end("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\nhello");
    });
    await using mesh = await meshTo({ ports: [server.port] });
    const { socket } = await upgrade("http://pay/chat", { dispatcher: mesh.dispatcher, protocol: "chat" });
    expect(String(Buffer.concat(await socket.toArray()))).toBe("hello");
    server.server.on("connect", (_, tunnel: Duplex) => {
      tunnel.end("HTTP/1.1 200 OK\r\n\r\nthrough");
    });
    const through = await connect("http://pay", { dispatcher: mesh.dispatcher, path: "db:5432" });
    expect(String(Buffer.concat(await through.socket.toArray()))).toBe("through");
    expect([server.accepted(), server.plaintext()]).toEqual([2, 0]);
  });

  it("HTTP/2, many requests on one connection, which is retired like the others", async () => {
    const leaf = authority.issue(PAY);
    const peers: string[] = [];
    const server = createSecureServer({
      ...leaf,
      requestCert: true,
      rejectUnauthorized: true,
      ca: [...authority.roots],
    });
    const sessions = new Set<Duplex>();
    server.on("session", (session) => {
      const { socket } = session;
      sessions.add(socket);
      session.on("close", () => sessions.delete(socket));
      peers.push((socket as TLSSocket).getPeerX509Certificate()?.subjectAltName ?? "");
    });
    server.on("stream", (stream: ServerHttp2Stream, headers) => {
      stream.respond({ ":status": 200, "x-scheme": String(headers[":scheme"]) });
      stream.end("h2");
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const clock = new FakeClock();
    clock.jumpWall(Date.now() - clock.wallTime());
    const more = { connection: { protocol: "http2" } } as const;
    const mesh = await meshTo({ ports: [port], more, options: { transportClock: clock } });
    const { headers, body } = await request("http://pay/", { dispatcher: mesh.dispatcher });
    expect([headers["x-scheme"], await body.text()]).toEqual(["http", "h2"]);
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask(mesh)));
    expect([answers.every(({ text }) => text === "h2"), peers]).toEqual([true, [`URI:${WEB}`]]);
    clock.advance(3_600_000);
    await until(() => sessions.size === 0);
    await mesh[Symbol.asyncDispose]();
    server.close();
  });

  it("a copy for a mirror, under the mirror's own name", async () => {
    await using copy = await authority.listen("spiffe://cluster.local/ns/default/sa/copy");
    await using plain = await listen((_, response) => response.end("plain"));
    const host = "copy.default.svc.cluster.local";
    const destination = { cluster: `outbound|80||${host}`, host, port: 80, subset: "", weight: 1 };
    const route = { mirrors: [{ destination, ratio: 1, field: "mirror" }] };
    await using mesh = await meshTo({ ports: [] });
    const identities = ["spiffe://cluster.local/ns/default/sa/copy"];
    mesh.publish({
      pay: { endpoints: [plain.port], route },
      copy: { endpoints: [member(copy.port)], tls: auto({ identities }) },
    });
    await ask(mesh);
    await until(() => copy.seen.length === 1);
    expect(copy.seen[0]).toMatchObject({ serverName: `outbound_.80_._.${host}`, peer: `URI:${WEB}` });
  });

  it("a hedge", async () => {
    const slow = await authority.listen();
    await using quick = await authority.listen();
    slow.server.removeAllListeners("request");
    const more = {
      retry: retries(1, ["5xx"]),
      policy: { hedging: { maxAttempts: 2, delayMs: 30 } },
    };
    await using mesh = await meshTo({ ports: [slow.port, quick.port], more });
    for (let n = 0; n < 2; n++) expect((await ask(mesh)).status).toBe(200);
    expect([slow.accepted() > 0, quick.seen.length]).toEqual([true, 2]);
    await slow[Symbol.asyncDispose]();
  });

  it("a health check", async () => {
    await using server = await authority.listen();
    await using own = await identityOf(authority);
    expect(await checked(own, server.port)).toEqual({ well: true, found: "200" });
    expect(server.seen).toMatchObject([
      { path: "/healthz", serverName: "outbound_.80_._.pay.default.svc.cluster.local", peer: `URI:${WEB}` },
    ]);
  });
});
