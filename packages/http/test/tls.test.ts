/** TLS that the mesh originates, over real sockets: who is asked for, who is believed, and that nobody else gets a byte. */

import { once } from "node:events";
import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { FakeClock } from "@inmesh/core/testing";
import type { ClientTls } from "@inmesh/model";
import { request, upgrade } from "undici";
import { afterAll, describe, expect, it } from "vitest";
import { MeshAgent, MeshHttpsAgent } from "../src/node/index.js";
import { type IssueOptions, TestAuthority } from "./certificates.js";
import {
  closedPort,
  type FakeMesh,
  type FakeMeshOptions,
  type FakeService,
  fakeMesh,
  listen,
  listenTcp,
  retries,
  until,
} from "./mesh.js";
import { listenTls } from "./tls-server.js";

const folder = mkdtempSync(join(tmpdir(), "inmesh-tls-"));
afterAll(() => rmSync(folder, { recursive: true }));

const authority = new TestAuthority();
const stranger = new TestAuthority("stranger");
const GOOD = authority.issue(["pay", "pay.default.svc.cluster.local"]);

let files = 0;
function file(text: string): string {
  const path = join(folder, `${++files}.pem`);
  writeFileSync(path, text);
  return path;
}

/** Whole or not at all, as secrets are mounted. */
function replace(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

const ROOTS = file(authority.pem);

/** `tls: { mode: SIMPLE, caCertificates: … }` of DestinationRule/default/pay. */
function simple(more: Partial<ClientTls> = {}): Partial<ClientTls> {
  const resource = { kind: "DestinationRule", namespace: "default", name: "pay" };
  const source = { resource, path: "spec.trafficPolicy.tls" };
  return { mode: "SIMPLE", verifiesServerName: true, caCertificates: ROOTS, source, ...more };
}

async function ask(mesh: FakeMesh, path = "/", host = "pay") {
  const { statusCode, headers, body } = await request(`http://${host}${path}`, { dispatcher: mesh.dispatcher });
  return { status: statusCode, code: headers["x-inmesh-error"], text: await body.text() };
}

function meshTo(
  port: number,
  tls: Partial<ClientTls> = simple(),
  more: Partial<FakeService> = {},
  options: FakeMeshOptions = {},
) {
  const mesh = fakeMesh({ pay: { endpoints: [port], tls, ...more } }, options);
  return Object.assign(mesh, { [Symbol.asyncDispose]: () => mesh.close() });
}

describe("a call to a cluster with TLS", () => {
  it("asks for the host by its name, speaks HTTP/1.1, and keeps the connection", async () => {
    await using server = await listenTls(GOOD);
    await using mesh = meshTo(server.port);
    for (const path of ["/a", "/b"]) {
      expect(await ask(mesh, path)).toMatchObject({ status: 200, text: "secure" });
      await new Promise(setImmediate); // undici looks once more whether the server closes
    }
    expect(server.seen).toMatchObject([
      { host: "pay", path: "/a", serverName: "pay", alpn: "http/1.1" },
      { host: "pay", path: "/b", serverName: "pay" },
    ]);
    expect(server.accepted()).toBe(1);
  });

  it("asks for each host by its own name, on connections that no other host uses", async () => {
    await using server = await listenTls(GOOD);
    await using mesh = meshTo(server.port);
    for (const host of ["pay", "pay.default.svc.cluster.local", "pay"]) await ask(mesh, "/", host);
    expect(server.seen.map(({ serverName }) => serverName)).toEqual(["pay", "pay.default.svc.cluster.local", "pay"]);
    expect(server.accepted()).toBe(2);
  });

  it("asks for what a rule rewrites the host to, and not for a Host header of the application's", async () => {
    await using server = await listenTls(authority.issue(["other.test", "pay"]));
    await using mesh = meshTo(server.port, simple(), {
      route: { rewrite: { authority: "Other.Test:80" } },
    });
    await ask(mesh);
    mesh.publish({ pay: { endpoints: [server.port], tls: simple() } });
    await request("http://pay/", { dispatcher: mesh.dispatcher, headers: { host: "evil.test" } });
    expect(server.seen.map(({ host, serverName }) => [host, serverName])).toEqual([
      ["Other.Test:80", "other.test"],
      ["evil.test", "pay"],
    ]);
  });

  it("asks for policy's sni, and for none where the host is an address", async () => {
    await using server = await listenTls(authority.issue(["sni.test", "127.0.0.1"]));
    await using mesh = meshTo(server.port, simple({ sni: "sni.test" }));
    await ask(mesh);
    mesh.publish({
      pay: {
        endpoints: [server.port],
        tls: simple(),
        route: { rewrite: { authority: "127.0.0.1:80" } },
      },
    });
    await ask(mesh);
    expect(server.seen.map(({ serverName }) => serverName)).toEqual(["sni.test", false]);
  });

  it("shortens later handshakes by the ticket of a verified one", async () => {
    await using server = await listenTls(GOOD);
    await using mesh = meshTo(server.port);
    for (let n = 0; n < 3; n++) await ask(mesh, "/close");
    expect(server.seen.map(({ resumed }) => resumed)).toEqual([false, true, true]);
  });

  it("takes everybody with insecureSkipVerify, over TLS all the same", async () => {
    await using server = await listenTls(stranger.issue(["other.test"], { untilMs: -1 }));
    await using mesh = meshTo(server.port, simple({ insecureSkipVerify: true, verifiesServerName: false }));
    expect([(await ask(mesh)).status, server.seen[0]?.serverName]).toEqual([200, "pay"]);
  });

  it("gives up a handshake that does not end within connectTimeout", async () => {
    const bytes: number[] = [];
    await using silent = await listenTcp((socket) => socket.once("data", (data: Buffer) => bytes.push(data[0] ?? -1)));
    const clock = new FakeClock();
    const connection = { connectTimeoutMs: 3_000 };
    await using mesh = meshTo(silent.port, simple(), { connection }, { transportClock: clock });
    const answer = ask(mesh);
    await until(() => bytes.length > 0);
    clock.advance(2_999);
    await new Promise(setImmediate);
    expect(mesh.calls).toEqual([]);
    clock.advance(1);
    const { status, code, text } = await answer;
    expect([status, code, bytes]).toEqual([503, "CONNECT_FAILED", [0x16]]);
    expect(text).toContain("no end of the TLS handshake within 3000 ms");
  });

  it("says of an endpoint that refuses that it refuses", async () => {
    await using mesh = meshTo(await closedPort());
    const { code, text } = await ask(mesh);
    expect([code, text]).toEqual(["CONNECT_FAILED", expect.stringContaining("ECONNREFUSED")]);
  });

  it("is tried again elsewhere on connect-failure, even a POST", async () => {
    await using bad = await listenTls(stranger.issue(["pay"]));
    await using good = await listenTls(GOOD);
    const retry = retries(1, ["connect-failure"]);
    await using mesh = meshTo(0, simple(), { endpoints: [bad.port, good.port], retry });
    const options = { dispatcher: mesh.dispatcher, method: "POST", body: "once" } as const;
    const statuses: number[] = [];
    for (let n = 0; n < 2; n++) {
      const { statusCode, body } = await request("http://pay/", options);
      await body.dump();
      statuses.push(statusCode);
    }
    expect([statuses, bad.seen.length, bad.accepted() > 0, good.seen.length]).toEqual([[200, 200], 0, true, 2]);
    expect(mesh.calls.some(({ attempts }) => attempts === 2)).toBe(true);
  });
});

describe("a server that is not the one policy means gets no byte of a request", () => {
  const expired: IssueOptions = { fromMs: -7_200_000, untilMs: -3_600_000 };
  it.each([
    ["is for another host", authority.issue(["other.test"]), {}, /is for DNS:other\.test, expected "pay"/],
    ["has the name in its subject only", authority.issue([], { commonName: "pay" }), {}, /has no subjectAltName/],
    ["is of an unknown authority", stranger.issue(["pay"]), {}, /UNABLE_TO_VERIFY_LEAF_SIGNATURE/],
    ["is of none that Node knows", GOOD, { caCertificates: "" }, /by Node's roots failed: .*UNABLE_TO_VERIFY/],
    ["has expired", authority.issue(["pay"], expired), {}, /CERT_HAS_EXPIRED/],
    ["is of the future", authority.issue(["pay"], { fromMs: 3_600_000, untilMs: 7_200_000 }), {}, /CERT_NOT_YET_VALID/],
    ["is revoked", GOOD, { caCrl: file(authority.revoke(GOOD.serial)) }, /CERT_REVOKED/],
    ["has no revocation list", GOOD, { caCrl: file(stranger.revoke()) }, /UNABLE_TO_GET_CRL/],
    [
      "has none of policy's names",
      GOOD,
      { subjectAltNames: ["a.test", "spiffe://x/y"], verifiesServerName: false },
      /is for DNS:pay, DNS:pay\.default\.svc\.cluster\.local, expected "a\.test" or "spiffe:\/\/x\/y"/,
    ],
    ["has the host's name and not the entry's", GOOD, { subjectAltNames: ["entry.test"] }, /expected "entry\.test"/],
  ])("whose certificate %s", async (_, certificate, tls, why) => {
    await using server = await listenTls(certificate);
    await using mesh = meshTo(server.port, simple(tls));
    const { status, code, text } = await ask(mesh, "/secret");
    const isSomebodyElse = /expected "/.test(text);
    expect([status, code, server.seen.length, server.accepted(), server.plaintext()]).toEqual([
      503,
      isSomebodyElse ? "WRONG_PEER" : "CONNECT_FAILED",
      0,
      1,
      0,
    ]);
    expect(text).toMatch(why);
    expect(text).toContain("DestinationRule/default/pay spec.trafficPolicy.tls");
    expect(mesh.engine.clusters.all()[0]?.states[0]).toMatchObject({ failures: 1 });
  });

  it("that speaks no TLS", async () => {
    await using server = await listen((_, response) => response.end("plain"));
    await using mesh = meshTo(server.port);
    const { status, text } = await ask(mesh);
    expect([status, text]).toEqual([503, expect.stringContaining("speaks no TLS on this port")]);
  });

  it.each([
    ["the entry's name as well", ["pay", "entry.test"], { subjectAltNames: ["entry.test"] }],
    ["a list that revokes others", ["pay"], { caCrl: file(authority.revoke(9_999)) }],
    ["a URI of policy", ["spiffe://x/y"], { subjectAltNames: ["a.test", "spiffe://x/y"], verifiesServerName: false }],
  ])("but one with %s is believed", async (_, names, tls) => {
    await using server = await listenTls(authority.issue(names));
    await using mesh = meshTo(server.port, simple(tls));
    expect((await ask(mesh)).status).toBe(200);
  });
});

describe("files of policy", () => {
  it.each([
    ["does not exist", join(folder, "nowhere.pem"), "does not exist"],
    ["is a folder", folder, "is no file"],
    ["holds no certificate", file("nothing\n"), 'holds no PEM block "BEGIN CERTIFICATE"'],
    [
      "holds a broken certificate",
      file(`${authority.pem}${authority.pem.replace("MII", "MIX")}`),
      "number 2, that cannot",
    ],
  ])("fail calls closed when one %s, and say which and who asks for it", async (_, caCertificates, why) => {
    await using server = await listenTls(GOOD);
    await using mesh = meshTo(server.port, simple({ caCertificates }), {
      retry: retries(2, ["connect-failure", "5xx"]),
    });
    const { status, code, text } = await ask(mesh);
    expect([status, code, server.accepted(), mesh.calls[0]?.attempts]).toEqual([503, "TLS_UNAVAILABLE", 0, 1]);
    expect(text).toContain(`${caCertificates} `);
    expect(text).toContain(why);
    expect(text).toContain("DestinationRule/default/pay spec.trafficPolicy.tls.caCertificates");
    const [state] = mesh.engine.clusters.all()[0]?.states ?? [];
    expect(state).toMatchObject({ failures: 0, refusals: 0 }); // the endpoint is not to blame
  });

  it("fail calls closed when a revocation list cannot be read", async () => {
    await using server = await listenTls(GOOD);
    const caCrl = file("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n");
    await using mesh = meshTo(server.port, simple({ caCrl }));
    expect(await ask(mesh)).toMatchObject({ code: "TLS_UNAVAILABLE", text: expect.stringContaining(caCrl) });
  });

  it("are found once they are there", async () => {
    await using server = await listenTls(GOOD);
    const path = join(folder, "later.pem");
    await using mesh = meshTo(server.port, simple({ caCertificates: path }));
    expect((await ask(mesh)).code).toBe("TLS_UNAVAILABLE");
    writeFileSync(path, "half");
    expect((await ask(mesh)).code).toBe("TLS_UNAVAILABLE");
    writeFileSync(path, authority.pem);
    expect((await ask(mesh)).status).toBe(200);
  });

  it("are read again when they change: a removed authority is no longer believed, a ticket of its time is not used", async () => {
    await using server = await listenTls(GOOD);
    const path = file(authority.pem);
    await using mesh = meshTo(server.port, simple({ caCertificates: path }));
    for (let n = 0; n < 2; n++) expect((await ask(mesh, "/close")).status).toBe(200);
    replace(path, stranger.pem);
    expect((await ask(mesh)).text).toContain("UNABLE_TO_VERIFY_LEAF_SIGNATURE");
    replace(path, stranger.pem + authority.pem);
    expect((await ask(mesh)).status).toBe(200);
    expect(server.seen.map(({ resumed }) => resumed)).toEqual([false, true, false]);
  });

  it("stay in force as they were when they turn bad, which is said once", async () => {
    await using server = await listenTls(GOOD);
    const path = file(authority.pem);
    const notices: string[] = [];
    const options = { onNotice: (message: string) => void notices.push(message) };
    await using mesh = meshTo(server.port, simple({ caCertificates: path }), {}, options);
    await ask(mesh, "/close");
    writeFileSync(path, authority.pem.slice(0, 100));
    for (let n = 0; n < 2; n++) expect((await ask(mesh, "/close")).status).toBe(200);
    expect(notices).toEqual([
      expect.stringMatching(/\.pem holds no PEM block "BEGIN CERTIFICATE"\. New connections go on/),
    ]);
    rmSync(path);
    expect((await ask(mesh, "/close")).status).toBe(200);
    expect(notices).toEqual([expect.anything(), expect.stringContaining("does not exist")]);
  });

  it("that change close connections that are open, once their requests are over", async () => {
    await using server = await listenTls(GOOD);
    const path = file(authority.pem);
    const clock = new FakeClock();
    await using mesh = meshTo(server.port, simple({ caCertificates: path }), {}, { transportClock: clock });
    await ask(mesh);
    const [socket] = server.sockets;
    replace(path, stranger.pem);
    clock.advance(10_000); // the transport's sweep
    await until(() => socket?.destroyed === true);
    expect((await ask(mesh)).text).toContain("UNABLE_TO_VERIFY_LEAF_SIGNATURE");
  });
});

describe("a client certificate from files (mode MUTUAL)", () => {
  const clients = new TestAuthority("clients");
  /** Of a server that demands certificates of `clients`. */
  const demands = { requestCert: true, rejectUnauthorized: true, ca: clients.pem };

  function privateFile(text: string): string {
    const path = file(text);
    chmodSync(path, 0o600);
    return path;
  }

  function shown(name: string) {
    const { cert, key } = clients.issue([name]);
    return { clientCertificate: file(cert), privateKey: privateFile(key) };
  }

  it("is shown to servers that ask, and renewed when its files are: open connections stay", async () => {
    await using server = await listenTls(GOOD, demands);
    const files = shown("first.test");
    await using mesh = meshTo(server.port, simple({ mode: "MUTUAL", ...files }));
    await ask(mesh);
    const { cert, key } = clients.issue(["second.test"]);
    replace(files.clientCertificate, cert); // the halves come one after the other
    await new Promise(setImmediate);
    expect((await ask(mesh, "/close")).status).toBe(200);
    expect((await ask(mesh, "/close")).status).toBe(200); // with the pair that was whole
    writeFileSync(files.privateKey, key);
    expect((await ask(mesh, "/close")).status).toBe(200);
    const peers = server.seen.map(({ peer }) => peer);
    expect(peers).toEqual(["DNS:first.test", "DNS:first.test", "DNS:first.test", "DNS:second.test"]);
    expect(server.accepted()).toBe(3);
  });

  it.each([
    [
      "a key that is not the certificate's",
      () => ({ ...shown("a.test"), privateKey: privateFile(clients.issue([]).key) }),
      "is not the key of the certificate beside it",
    ],
    [
      "a key that others may read",
      () => {
        const files = shown("a.test");
        chmodSync(files.privateKey, 0o640);
        return files;
      },
      "is a private key that others than its owner may read (mode 0640): chmod 600 it",
    ],
    [
      "a key that is none",
      () => ({ ...shown("a.test"), privateKey: privateFile("nothing") }),
      'holds no PEM block "BEGIN PRIVATE KEY"',
    ],
    [
      "an encrypted key",
      () => ({
        ...shown("a.test"),
        privateKey: privateFile("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"),
      }),
      "is encrypted",
    ],
    ["no certificate", () => ({ ...shown("a.test"), clientCertificate: "/nowhere.pem" }), "does not exist"],
  ])("fails calls closed for %s, and tells nothing of a key", async (_, files, why) => {
    await using server = await listenTls(GOOD, demands);
    await using mesh = meshTo(server.port, simple({ mode: "MUTUAL", ...files() }));
    const { code, text } = await ask(mesh);
    expect([code, server.accepted()]).toEqual(["TLS_UNAVAILABLE", 0]);
    expect(text).toContain(why);
    expect(text).toMatch(/spec\.trafficPolicy\.tls\.(?:privateKey|clientCertificate) asks for it/);
    expect(text).not.toContain("BEGIN EC");
  });

  it("that the server does not take is told as a suspicion", async () => {
    await using server = await listenTls(GOOD, { ...demands, ca: stranger.pem });
    const files = shown("a.test");
    await using mesh = meshTo(server.port, simple({ mode: "MUTUAL", ...files }));
    const { code, text } = await ask(mesh);
    expect([code, server.seen.length]).toEqual(["UPSTREAM_RESET", 0]);
    expect(text).toContain(`showed itself as ${files.clientCertificate}, so the server may have refused`);
  });
});

describe("files that change during a handshake", () => {
  it("make the connection begin again, since it was verified by the old ones", async () => {
    await using server = await listenTls(GOOD);
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    await using slow = await listenTcp((socket) => {
      void held.then(() => {
        const onwards = connect(server.port, "127.0.0.1");
        onwards.on("error", () => {}).on("close", () => socket.destroy());
        socket.on("close", () => onwards.destroy());
        socket.pipe(onwards).pipe(socket);
      });
    });
    const path = file(authority.pem);
    const tls = simple({ caCertificates: path });
    const mesh = fakeMesh({ pay: { endpoints: [slow.port], tls }, other: { endpoints: [server.port], tls } });
    const waiting = ask(mesh, "/secret");
    await until(() => slow.accepted() === 1);
    replace(path, stranger.pem);
    expect((await ask(mesh, "/", "other")).code).toBe("CONNECT_FAILED"); // looked at the files
    release();
    expect((await waiting).text).toContain("UNABLE_TO_VERIFY_LEAF_SIGNATURE");
    expect([slow.accepted(), server.seen.length]).toEqual([2, 0]);
    await mesh.close();
  });
});

describe("a policy that changes", () => {
  it("to TLS that cannot be had stops calls at once, those tried again included", async () => {
    await using server = await listenTls(GOOD);
    await using mesh = meshTo(server.port);
    expect((await ask(mesh)).status).toBe(200);
    const refused = simple({ mode: "MUTUAL", refusal: "mode MUTUAL, and this version presents no client certificate" });
    mesh.publish({ pay: { endpoints: [server.port], tls: refused } });
    expect((await ask(mesh)).code).toBe("TLS_UNAVAILABLE");
    expect(server.seen).toHaveLength(1);
  });

  it("from plaintext to TLS and back uses no connection of the one for the other", async () => {
    const kinds: string[] = [];
    await using server = await listenTcp((socket) =>
      socket.on("data", (data: Buffer) => {
        kinds.push(data[0] === 0x16 ? "tls" : "plain");
        if (data[0] === 0x16) socket.destroy();
        else socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
      }),
    );
    await using mesh = meshTo(server.port, {});
    for (const tls of [{}, simple(), {}]) {
      mesh.publish({ pay: { endpoints: [server.port], tls } });
      await ask(mesh);
    }
    expect(kinds).toEqual(["plain", "tls", "plain"]);
  });

  it("to one that says the same keeps the connections", async () => {
    await using server = await listenTls(GOOD);
    await using mesh = meshTo(server.port);
    for (let n = 0; n < 3; n++) {
      mesh.publish({ pay: { endpoints: [server.port], tls: simple() } });
      expect((await ask(mesh)).status).toBe(200);
      await new Promise(setImmediate);
    }
    expect(server.accepted()).toBe(1);
  });
});

describe.each([
  ["mesh.agent()", MeshAgent, "http"],
  ["mesh.httpsAgent()", MeshHttpsAgent, "https"],
] as const)("%s", (_, Agent, scheme) => {
  const get = async (agent: http.Agent, path = "/", host = "pay") => {
    const sent = (scheme === "http" ? http : https).get(`${scheme}://${host}${path}`, { agent });
    const [response] = (await once(sent, "response")) as [http.IncomingMessage];
    for await (const _ of response);
    await until(() => sent.closed);
    return response.statusCode;
  };

  it("keeps verified connections, and closes none that another key has", async () => {
    await using server = await listenTls(GOOD);
    const path = file(authority.pem);
    await using mesh = meshTo(server.port, simple({ caCertificates: path }));
    const agent = new Agent(mesh.client);
    for (let n = 0; n < 3; n++) expect(await get(agent)).toBe(200);
    expect([server.accepted(), server.seen[0]?.serverName]).toEqual([1, "pay"]);
    replace(path, authority.pem + stranger.pem);
    expect((await ask(mesh, "/close")).status).toBe(200); // whoever connects first finds that it changed
    expect(await get(agent)).toBe(200);
    expect([server.accepted(), server.plaintext()]).toEqual([3, 0]);
    agent.destroy();
  });

  it("asks for each host by its own name", async () => {
    await using server = await listenTls(GOOD);
    await using mesh = meshTo(server.port);
    const agent = new Agent(mesh.client);
    const hosts = ["pay", "pay.default.svc.cluster.local", "pay"];
    for (const host of hosts) expect(await get(agent, "/", host)).toBe(200);
    expect([server.seen.map(({ serverName }) => serverName), server.accepted()]).toEqual([hosts, 2]);
    agent.destroy();
  });

  it("connects for those that wait in Node's queue", async () => {
    await using server = await listenTls(GOOD);
    await using mesh = meshTo(server.port);
    const agent = new Agent(mesh.client, { maxSockets: 1, keepAlive: false });
    expect(await Promise.all([get(agent), get(agent), get(agent)])).toEqual([200, 200, 200]);
    expect([server.seen.length, server.plaintext()]).toEqual([3, 0]);
    agent.destroy();
  });

  it.each([
    ["a wrong server", simple({ caCertificates: file(stranger.pem) }), "UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
    ["a file that is not there", simple({ caCertificates: "/nowhere.pem" }), "TLS_UNAVAILABLE"],
    ["a mode that cannot be had", simple({ mode: "MUTUAL", refusal: "mode MUTUAL" }), "TLS_UNAVAILABLE"],
  ])("fails for %s, and sends nothing", async (_, tls, code) => {
    await using server = await listenTls(GOOD);
    await using mesh = meshTo(server.port, tls);
    const agent = new Agent(mesh.client);
    await expect(get(agent)).rejects.toMatchObject({ code });
    expect([server.seen.length, server.plaintext()]).toEqual([0, 0]);
    agent.destroy();
  });
});

describe("other requests over TLS", () => {
  it("upgrade to another protocol", async () => {
    await using server = await listenTls(GOOD);
    server.server.on("upgrade", (_, socket: Duplex) => {
      socket.end("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\nhello");
    });
    await using mesh = meshTo(server.port);
    const { socket } = await upgrade("http://pay/chat", { dispatcher: mesh.dispatcher, protocol: "chat" });
    expect(String(Buffer.concat(await socket.toArray()))).toBe("hello");
  });

  it("are for ever other hosts: connections of the oldest are given up", async () => {
    await using server = await listenTls(GOOD);
    await using mesh = meshTo(server.port, simple({ insecureSkipVerify: true, verifiesServerName: false }));
    for (let n = 0; n < 260; n++) {
      const route = { rewrite: { authority: `h${n}.test` } };
      const tls = simple({ insecureSkipVerify: true, verifiesServerName: false });
      mesh.publish({ pay: { endpoints: [server.port], tls, route } });
      expect((await ask(mesh)).status).toBe(200);
    }
    expect([server.accepted(), mesh.transport.clients]).toEqual([260, 256]);
    await until(() => server.sockets.size <= 256);
  });

  it("are copies, which ask for the mirror by its own name", async () => {
    await using server = await listenTls(authority.issue(["copy.default.svc.cluster.local"]));
    await using plain = await listen((_, response) => response.end("plain"));
    const host = "copy.default.svc.cluster.local";
    const destination = { cluster: `outbound|80||${host}`, host, port: 80, subset: "", weight: 1 };
    const route = { mirrors: [{ destination, ratio: 1, field: "mirror" }], rewrite: { authority: "rewritten.test" } };
    const mesh = fakeMesh({
      pay: { endpoints: [plain.port], route },
      copy: { endpoints: [server.port], tls: simple() },
    });
    await ask(mesh);
    await until(() => server.seen.length === 1);
    await mesh.close();
    expect(server.seen[0]).toMatchObject({ host: "rewritten.test-shadow", serverName: host });
  });

  it("are many at once: one look at the files and no connection too many", async () => {
    await using server = await listenTls(GOOD);
    await using mesh = meshTo(server.port);
    const answers = await Promise.all(Array.from({ length: 50 }, () => ask(mesh)));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(server.accepted()).toBeLessThanOrEqual(50);
  });
});
