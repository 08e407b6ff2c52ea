/** Connections that leave HTTP, by an upgrade as of a WebSocket or by CONNECT: one record on each side, told when they are over. */

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { MemoryRegistry, type TraceSpan, type Tracing } from "@inmesh/core";
import { parseDocuments } from "@inmesh/model";
import type { AccessLogEntry } from "@inmesh/telemetry/access-log";
import { afterEach, expect, it } from "vitest";
import { type ConnectedMesh, PLANE } from "../src/connected-mesh.js";
import { createMesh } from "../src/create-mesh.js";
import type { Mesh } from "../src/mesh.js";
import { until } from "./until.js";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const DENY = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: no-admin, namespace: default }
spec: { action: DENY, rules: [{ to: [{ operation: { paths: ["/admin"] } }] }] }
`;

interface Side {
  readonly mesh: Mesh;
  readonly log: AccessLogEntry[];
}

async function side(registry: MemoryRegistry, service: string): Promise<Side> {
  const log: AccessLogEntry[] = [];
  const mesh = await createMesh({
    ...{ service, config: registry, propagationDelayMs: 0, admin: "off", log: "error" },
    accessLog: (entry: AccessLogEntry) => log.push(entry),
  });
  closing.push(() => mesh.close());
  await mesh.ready();
  return { mesh, log };
}

async function listen(mesh: Mesh, server: Server | ReturnType<typeof createHttp2Server>): Promise<number> {
  closing.push(() => server.close());
  await once(mesh.attach(server).listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}

/** Sends back what comes, and ends when its caller does. */
function echo(upgraded = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n"): Server {
  const server = createServer((_, response) => response.end());
  const take = (_: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.write(upgraded);
    socket.write(head);
    socket.on("error", () => {}).pipe(socket);
  };
  return server.on("upgrade", take).on("connect", take);
}

async function sides() {
  const registry = new MemoryRegistry();
  const { documents } = parseDocuments(DENY, { file: "policy.yaml" });
  await registry.apply(documents);
  const [desk, shelf] = [await side(registry, "desk"), await side(registry, "shelf")];
  return { registry, desk, shelf };
}

async function sockets(mesh: Mesh, path = "/live"): Promise<Socket> {
  const request = mesh.http.request(`http://shelf${path}?token=s3cret`, {
    headers: { connection: "upgrade", upgrade: "echo" },
  });
  request.end();
  const [, socket] = await once(request, "upgrade");
  return socket as Socket;
}

it("an upgrade is logged and counted by both sides when it is over, with bytes of both ways and the answer's code", async () => {
  const { desk, shelf } = await sides();
  await listen(shelf.mesh, echo());
  await until(async () => (await desk.mesh.fetch("http://shelf/").catch(() => undefined))?.status === 200);
  await until(() => shelf.log.length > 0);
  desk.log.length = 0;
  shelf.log.length = 0;
  const socket = await sockets(desk.mesh);
  socket.write("0123456789");
  await once(socket, "data");
  expect([desk.log, shelf.log]).toEqual([[], []]); // the story is not over
  socket.end();
  await once(socket, "close");
  await until(() => desk.log.length > 0 && shelf.log.length > 0);
  // As Envoy has it of both sides: the caller ended it.
  const same = {
    method: "GET",
    path: "/live",
    response_code: 101,
    bytes_received: 10,
    bytes_sent: 10,
    response_flags: "DC",
  };
  expect(desk.log).toEqual([expect.objectContaining({ ...same, direction: "outbound" })]);
  expect(shelf.log).toEqual([expect.objectContaining({ ...same, direction: "inbound" })]);
  for (const mesh of [desk.mesh, shelf.mesh])
    expect(await mesh.metricsRegistry().metrics()).toMatch(/istio_requests_total\{[^}]*response_code="101"[^}]*\} 1\n/);
});

it.each(["end", "destroy", "resetAndDestroy"] as const)(
  "one that the server ends by %s has Envoy's flag for that on both sides",
  async (way) => {
    const { desk, shelf } = await sides();
    const server = createServer((_, response) => response.end()).on("upgrade", (_, socket: Socket) => {
      socket.on("error", () => {}).once("data", () => socket[way]());
      socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
    });
    await listen(shelf.mesh, server);
    await until(async () => (await desk.mesh.fetch("http://shelf/").catch(() => undefined))?.status === 200);
    await until(() => shelf.log.length > 0);
    for (const { log } of [desk, shelf]) log.length = 0;
    const socket = await sockets(desk.mesh);
    socket.on("error", () => {}).resume();
    socket.write("now");
    await until(() => desk.log.length > 0 && shelf.log.length > 0);
    const details = "upstream_reset_after_response_started{connection_termination}";
    for (const { log } of [desk, shelf])
      expect(log).toMatchObject([{ response_code: 101, response_flags: "UC", response_code_details: details }]);
  },
);

it("its span ends with the answer, once, and the line that comes later is of the same trace", async () => {
  const { desk, shelf } = await sides();
  await listen(shelf.mesh, echo());
  await until(async () => (await desk.mesh.fetch("http://shelf/").catch(() => undefined))?.status === 200);
  await until(() => shelf.log.length > 0);
  shelf.log.length = 0;
  const ended: string[] = [];
  const spanOf = (traceId: string): TraceSpan => ({
    ...{ traceId, spanId: "b7ad6b7169203331", sampled: true, headers: [], propagates: true },
    run: (work) => work(),
    end: ({ direction, status }) => void ended.push(`${direction} ${status}`),
  });
  const tracing: Tracing = {
    startCall: () => spanOf("a".repeat(32)),
    startRequest: () => spanOf("b".repeat(32)),
    quietly: (work) => work(),
  };
  for (const { mesh } of [desk, shelf]) (mesh as ConnectedMesh)[PLANE].engine.tracing = tracing;
  const socket = await sockets(desk.mesh);
  await until(() => ended.length === 2);
  expect([ended.sort(), shelf.log]).toEqual([["inbound 101", "outbound 101"], []]);
  socket.end();
  await until(() => shelf.log.length > 0);
  expect(shelf.log).toEqual([expect.objectContaining({ response_code: 101, trace_id: "b".repeat(32) })]);
  expect(ended).toHaveLength(2);
});

it("what the server refuses and what the mesh refuses is a record, too", async () => {
  const { shelf } = await sides();
  const port = await listen(shelf.mesh, echo("HTTP/1.1 401 Unauthorized\r\nconnection: close\r\n\r\n"));
  const ask = async (path: string): Promise<void> => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {}).resume();
    socket.end(`GET ${path} HTTP/1.1\r\nhost: shelf\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n`);
    await new Promise((resolve) => socket.once("close", resolve));
  };
  await ask("/live");
  await ask("/admin");
  await until(() => shelf.log.length === 2);
  expect(shelf.log.map((entry) => [entry["path"], entry["response_code"], entry["response_code_details"]])).toEqual([
    ["/live", 401, "via_upstream"],
    ["/admin", 403, "rbac_access_denied_matched_policy[ns[default]-policy[no-admin]-rule[0]]"],
  ]);
});

it("a tunnel by CONNECT is one, over HTTP/1.1 and on a stream of HTTP/2", async () => {
  const { shelf } = await sides();
  const port = await listen(shelf.mesh, echo("HTTP/1.1 200 Connection Established\r\n\r\n"));
  const socket = connect(port, "127.0.0.1");
  socket.write("CONNECT db:5432 HTTP/1.1\r\nhost: db:5432\r\n\r\nearly");
  await until(() => String(socket.read() ?? "").endsWith("early"));
  socket.end();
  await until(() => shelf.log.length === 1);
  expect(shelf.log[0]).toMatchObject({ method: "CONNECT", response_code: 200, bytes_received: 5, bytes_sent: 5 });

  const http2 = createHttp2Server().on("stream", (stream) => {
    stream.respond({ ":status": 200 });
    stream.pipe(stream);
  });
  const session = connectHttp2(`http://127.0.0.1:${await listen(shelf.mesh, http2)}`);
  closing.push(() => session.destroy());
  const stream = session.request({ ":method": "CONNECT", ":authority": "db:5432" });
  stream.end("0123456789").resume();
  await once(stream, "close");
  await until(() => shelf.log.length === 2);
  expect(shelf.log[1]).toMatchObject({
    ...{ method: "CONNECT", protocol: "HTTP/2", response_code: 200, response_flags: "-" },
    ...{ bytes_received: 10, bytes_sent: 10 },
  });
});

it("is heard of from the moment the mesh is ready, whatever still has to be loaded for the log", async () => {
  const registry = new MemoryRegistry();
  const server = createServer((_, response) => response.end("early"));
  const { mesh, log } = await side(registry, "desk");
  const port = await listen(mesh, server); // right after `ready()`
  const answer = await new Promise<string>((resolve) => {
    let text = "";
    const socket = connect(port, "127.0.0.1");
    socket.on("data", (data) => {
      text += data;
    });
    socket.on("close", () => resolve(text));
    socket.write("GET /early HTTP/1.1\r\nhost: desk\r\nx-who: a\r\nconnection: close\r\n\r\n");
  });
  expect(answer).toContain("early");
  await until(() => log.length > 0);
  expect(log).toEqual([expect.objectContaining({ direction: "inbound", path: "/early", response_code: 200 })]);
});

it("calls made while it lives belong to its trace, and its context is that of its request", async () => {
  const { shelf } = await sides();
  const server = createServer();
  const { contexts } = (shelf.mesh as ConnectedMesh)[PLANE].engine;
  const seen: (readonly string[] | undefined)[] = [];
  server.on("upgrade", (_, socket) => {
    seen.push(contexts.current()?.forward);
    socket.end("HTTP/1.1 101 Switching Protocols\r\n\r\n");
  });
  const port = await listen(shelf.mesh, server);
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {}).resume();
  socket.write("GET / HTTP/1.1\r\nhost: shelf\r\nconnection: upgrade\r\nupgrade: echo\r\nx-request-id: r-1\r\n\r\n");
  await until(() => shelf.log.length === 1);
  expect(seen).toEqual([["x-request-id", "r-1"]]);
  expect(shelf.log[0]).toMatchObject({ request_id: "r-1", response_flags: "UC", bytes_sent: 0 });
});
