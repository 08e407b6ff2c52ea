/** Health checks over real sockets: what is asked, what counts as well, and that nothing stays open. */

import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createTcpServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@inmesh/core";
import type { HealthFinding } from "@inmesh/core/internal";
import { fakeEndpoint, fakeSnapshot } from "@inmesh/core/testing";
import type { ClientTls, ConnectionPolicy, HealthCheckPolicy } from "@inmesh/model";
import { request } from "undici";
import { afterAll, describe, expect, it } from "vitest";
import { HttpHealthProber } from "../src/health/http-health-prober.js";
import { TestAuthority } from "./certificates.js";
import { listenHttp2, type StreamHandler } from "./http2-server.js";
import { closedPort, fakeMesh, listen, until } from "./mesh.js";
import { listenTls } from "./tls-server.js";

const POLICY: HealthCheckPolicy = {
  ...{ kind: "http", path: "/healthz", authority: "", statuses: [[200, 299]], port: 0 },
  ...{ intervalMs: 50, timeoutMs: 2_000, unhealthyThreshold: 2, healthyThreshold: 2 },
};

interface Asked {
  readonly policy?: Partial<HealthCheckPolicy>;
  readonly tls?: Partial<ClientTls>;
  readonly connection?: Partial<ConnectionPolicy>;
}

function probeOf(port: number, { policy, tls = {}, connection = {} }: Asked = {}) {
  const id = `127.0.0.1:${port}`;
  const clusters = {
    pay: {
      endpoints: [id],
      tls,
      policy: {
        healthCheck: { ...POLICY, ...policy },
        connection: { connectTimeoutMs: 2_000, idleTimeoutMs: 0, maxRequestsPerConnection: 0, ...connection },
      },
    },
  };
  const cluster = fakeSnapshot({ clusters }).cluster("pay")!;
  return new HttpHealthProber({ clock: systemClock }).open({ of: { endpoint: fakeEndpoint(id) }, cluster });
}

function ask(port: number, asked?: Asked): Promise<HealthFinding> {
  const probe = probeOf(port, asked);
  if (typeof probe === "string") throw new Error(probe);
  return new Promise((resolve) => probe.ask(resolve));
}

/** Says `text` to whoever connects and speaks first. */
async function says(text: string) {
  const sockets = new Set<Socket>();
  const seen: string[] = [];
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    socket.once("data", (data) => {
      seen.push(String(data));
      if (text !== "") socket.end(text);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const close = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { port, sockets, seen, [Symbol.dispose]: close };
}

const folder = mkdtempSync(join(tmpdir(), "inmesh-health-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("a health check over HTTP", () => {
  it.each([
    ["HTTP/1.1 204 No Content\r\n\r\n", { well: true, found: "204" }],
    ["HTTP/1.0 200\r\n\r\n", { well: true, found: "200" }],
    ["HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", { well: true, found: "200" }],
    ["HTTP/1.1 302 Found\r\n\r\n", { well: false, found: "302" }],
    ["HTTP/1.1 503 Service Unavailable\r\n\r\n", { well: false, found: "503" }],
    ["SSH-2.0-OpenSSH\r\n", { well: false, found: "an answer that is no HTTP/1.1" }],
    ["HTTP/1.1", { well: false, found: "closed without an answer" }],
  ])("of %j", async (text, finding) => {
    using server = await says(text);
    expect(await ask(server.port)).toEqual(finding);
    expect(server.seen[0]).toMatch(/^GET \/healthz HTTP\/1\.1\r\nhost: pay\r\n.*connection: close\r\n\r\n$/s);
  });

  it("asks for another path, host, port and status where policy says so", async () => {
    using server = await says("HTTP/1.1 418 I'm a Teapot\r\n\r\n");
    const policy = { path: "/up?deep=1", authority: "up.internal", port: server.port, statuses: [[418, 418]] } as const;
    expect(await ask(await closedPort(), { policy })).toEqual({ well: true, found: "418" });
    expect(server.seen[0]).toContain("GET /up?deep=1 HTTP/1.1\r\nhost: up.internal\r\n");
  });

  it("fails at a closed port", async () => {
    const port = await closedPort();
    expect(await ask(port)).toEqual({ well: false, found: `connect ECONNREFUSED 127.0.0.1:${port}` });
  });

  it("closes its connection when it is given up", async () => {
    using server = await says("");
    const probe = probeOf(server.port);
    if (typeof probe === "string") throw new Error(probe);
    const cancel = probe.ask(() => expect.unreachable());
    await until(() => server.seen.length === 1);
    cancel();
    await until(() => server.sockets.size === 0);
  });

  it.each([
    ["a path with a line break", { policy: { path: "/\r\nx: y" } }, /no blanks and no control characters/],
    ["TLS that cannot be had", { tls: { mode: "MUTUAL", refusal: "mode MUTUAL" } }, /mode MUTUAL, which cannot be had/],
    ["HTTP/2", { connection: { protocol: "http2" } }, /use a grpc or tcp check/],
  ] as const)("is refused for %s", (_, asked, why) => {
    expect(probeOf(1, asked as Asked)).toMatch(why);
  });
});

it("a health check over TCP wants no more than a connection", async () => {
  using server = await says("");
  expect(await ask(server.port, { policy: { kind: "tcp" } })).toEqual({ well: true, found: "connected" });
  expect((await ask(await closedPort(), { policy: { kind: "tcp" } })).well).toBe(false);
});

it("a health check goes over TLS where calls do, and believes nobody whom they would not", async () => {
  const authority = new TestAuthority();
  const roots = join(folder, "roots.pem");
  writeFileSync(roots, authority.pem);
  await using good = await listenTls(authority.issue(["pay"]));
  await using wrong = await listenTls(new TestAuthority("stranger").issue(["pay"]));
  const tls = { mode: "SIMPLE", verifiesServerName: true, caCertificates: roots } as const;
  expect(await ask(good.port, { tls })).toEqual({ well: true, found: "200" });
  expect(good.seen).toMatchObject([{ host: "pay", path: "/healthz", serverName: "pay" }]);
  expect((await ask(wrong.port, { tls })).well).toBe(false);
  expect([wrong.seen, good.plaintext()]).toEqual([[], 0]);
});

it("an endpoint whose checks fail gets no calls until they succeed again", async () => {
  let well = true;
  const serve = (name: string) =>
    listen((incoming, response) => {
      if (incoming.url === "/healthz") {
        response.statusCode = well || name === "b" ? 200 : 500;
        return void response.end();
      }
      response.end(name);
    });
  await using a = await serve("a");
  await using b = await serve("b");
  const said: string[] = [];
  const mesh = fakeMesh(
    { pay: { endpoints: [a.port, b.port], policy: { healthCheck: POLICY } } },
    { onHealth: (message) => said.push(message), healthProber: new HttpHealthProber({ clock: systemClock }) },
  );
  const answered = async () => {
    const { body } = await request("http://pay/", { dispatcher: mesh.dispatcher });
    return body.text();
  };
  await answered();
  well = false;
  await until(() => said.length === 1);
  expect(said[0]).toContain(`127.0.0.1:${a.port} of `);
  expect(said[0]).toContain("is out: 2 health checks in a row failed: 500");
  for (let n = 0; n < 10; n++) expect(await answered()).toBe("b");
  well = true;
  await until(() => said.length === 2);
  expect(said[1]).toContain("is in use again");
  await mesh.close();
});

describe("a health check over gRPC", () => {
  const GRPC = { "content-type": "application/grpc" };

  /** As one of gRPC's servers answers. @param message of the answer, in hex, unframed; undefined: a head is all there is */
  async function server(status: string, message?: string) {
    const asked: { path: string | undefined; body: Promise<string> }[] = [];
    const handler: StreamHandler = (stream, headers) => {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      const body = once(stream, "end").then(() => Buffer.concat(chunks).toString("hex"));
      asked.push({ path: headers[":path"], body });
      if (message === undefined) {
        return stream.respond({ ":status": 200, ...GRPC, "grpc-status": status }, { endStream: true });
      }
      stream.respond({ ":status": 200, ...GRPC }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": status }));
      const bytes = Buffer.from(message, "hex");
      stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, bytes.length]), bytes]));
    };
    return Object.assign(await listenHttp2(handler), { asked });
  }

  it.each([
    ["0", "0801", { well: true, found: "SERVING" }],
    ["0", "0802", { well: false, found: "NOT_SERVING" }],
    ["0", "", { well: false, found: "UNKNOWN" }],
    ["5", undefined, { well: false, found: "NOT_FOUND" }],
    ["12", undefined, { well: false, found: "UNIMPLEMENTED" }],
  ])("takes status %s with message %j for %j", async (status, message, finding) => {
    await using it = await server(status, message);
    expect(await ask(it.port, { policy: { kind: "grpc" }, connection: { protocol: "http2" } })).toEqual(finding);
    await until(() => it.sessions.size === 0);
  });

  it("asks about the service that policy names", async () => {
    await using it = await server("0", "0801");
    await ask(it.port, { policy: { kind: "grpc", service: "shop.Pay" } });
    expect([it.asked[0]!.path, await it.asked[0]!.body]).toEqual([
      "/grpc.health.v1.Health/Check",
      `000000000a0a08${Buffer.from("shop.Pay").toString("hex")}`,
    ]);
  });

  it("says what else is there", async () => {
    using http1 = await says("HTTP/1.1 200 OK\r\n\r\n");
    expect((await ask(http1.port, { policy: { kind: "grpc" } })).well).toBe(false);
    await using answers = await listenHttp2((stream) => stream.respond({ ":status": 404 }, { endStream: true }));
    expect(await ask(answers.port, { policy: { kind: "grpc" } })).toEqual({ well: false, found: "HTTP status 404" });
    expect((await ask(await closedPort(), { policy: { kind: "grpc" } })).found).toMatch(/ECONNREFUSED/);
  });
});
