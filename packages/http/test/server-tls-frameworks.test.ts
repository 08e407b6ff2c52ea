/** Frameworks over TLS of the mesh, with no change in them: one process, one patch, as `--import` puts it there. */

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import express from "express";
// @ts-expect-error an alias of this repository's, and no types come with it
import express4 from "express4";
import fastify from "fastify";
import { afterEach, describe, expect, it } from "vitest";
// @ts-expect-error no types come with it
import { WebSocket, WebSocketServer } from "ws";
import { patchServers } from "../src/server/patch-servers.js";
import { ask, CALLER_ID, dial, dialPlain, LAST_GET, SecuredMesh, said } from "./secured-server.js";

const undos: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of undos.splice(0).reverse()) await undo();
});

function patched(options = {}): SecuredMesh {
  const mesh = new SecuredMesh(options);
  undos.push(patchServers(mesh.servers));
  return mesh;
}

async function portOf(server: Server): Promise<number> {
  undos.push(() => {
    server.close();
    server.closeAllConnections();
  });
  if (!server.listening) await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

interface Answer {
  json(body: unknown): void;
}
type Asked = IncomingMessage & { protocol: string; secure: boolean; body: unknown; ip: string };

const BODY = `POST /echo HTTP/1.1\r\nhost: cart\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 14\r\n\r\n{"some":"one"}`;

describe.each([
  [false, "http"],
  [true, "https"],
])("the application sees TLS: %s", (tlsVisible, scheme) => {
  it.each([
    ["Express 5", express],
    ["Express 4", express4],
  ])("%s", async (_, make) => {
    await using mesh = patched({ tlsVisible });
    const app = make();
    app.use(make.json());
    app.post("/echo", ({ protocol, secure, body, ip }: Asked, answer: Answer) => {
      answer.json({ peer: mesh.contexts.current()?.peer?.principal ?? "", protocol, secure, body, ip });
    });
    const port = await portOf(app.listen(0, "127.0.0.1"));
    const rest = { body: { some: "one" }, ip: "127.0.0.1" };
    expect(said(await ask(dial(port), BODY))).toEqual({
      peer: CALLER_ID,
      protocol: scheme,
      secure: tlsVisible,
      ...rest,
    });
    expect(said(await ask(dialPlain(port), BODY))).toEqual({ peer: "", protocol: "http", secure: false, ...rest });
  });

  it("Fastify 5", async () => {
    await using mesh = patched({ tlsVisible });
    const app = fastify();
    app.post("/echo", async ({ protocol, body, ip }) => {
      return { peer: mesh.contexts.current()?.peer?.principal ?? "", protocol, body, ip };
    });
    await app.listen({ port: 0, host: "127.0.0.1" });
    undos.push(() => app.close());
    const { port } = app.server.address() as AddressInfo;
    const rest = { body: { some: "one" }, ip: "127.0.0.1" };
    expect(said(await ask(dial(port), BODY))).toEqual({ peer: CALLER_ID, protocol: scheme, ...rest });
    expect(said(await ask(dialPlain(port), BODY))).toEqual({ peer: "", protocol: "http", ...rest });
  });
});

it("Fastify with HTTP/2", async () => {
  await using mesh = patched();
  const app = fastify({ http2: true });
  app.get("/", async () => mesh.contexts.current()?.peer?.principal ?? "nobody");
  await app.listen({ port: 0, host: "127.0.0.1" });
  undos.push(() => app.close());
  const { port } = app.server.address() as AddressInfo;
  const { connect } = await import("node:http2");
  const { CALLER, secureOptions } = await import("./secured-server.js");
  const session = connect(`https://127.0.0.1:${port}`, secureOptions(CALLER));
  let text = "";
  for await (const chunk of session.request()) text += chunk;
  session.close();
  expect(text).toBe(CALLER_ID);
});

it("a WebSocket, by ws and wss, and nobody in plaintext under STRICT", async () => {
  await using mesh = patched();
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  sockets.on(
    "connection",
    (socket: { send(text: string): void; on(name: string, each: (text: unknown) => void): void }) => {
      const peer = mesh.contexts.current()?.peer?.principal ?? "nobody";
      socket.on("message", (text) => socket.send(`${peer}: ${text}`));
    },
  );
  const port = await portOf(server.listen(0, "127.0.0.1"));
  const talk = (make: () => Duplex): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}`, { createConnection: make });
      socket.on("open", () => socket.send("hello"));
      socket.on("message", (text: unknown) => {
        resolve(String(text));
        socket.close();
      });
      socket.on("error", reject);
    });
  expect(await talk(() => dial(port))).toBe(`${CALLER_ID}: hello`);
  expect(await talk(() => dialPlain(port))).toBe("nobody: hello");
  mesh.set({ mode: "STRICT" });
  await expect(talk(() => dialPlain(port))).rejects.toThrow();
  expect(await talk(() => dial(port))).toBe(`${CALLER_ID}: hello`);
});

it("node:http behind a middleware that the mesh had to be told of", async () => {
  await using mesh = new SecuredMesh({ mode: "STRICT" });
  const { enterer, meshHandler } = await import("../src/server/handler.js");
  const enter = enterer(mesh.inbound, mesh.servers);
  const listener = (message: IncomingMessage, response: ServerResponse) => mesh.answer(message, response);
  const server = createServer(meshHandler(listener, enter) as typeof listener);
  const port = await portOf(server.listen(0, "127.0.0.1"));
  // The server is known with its first request, which is turned away; from then on connections are looked at.
  expect((await ask(dialPlain(port), LAST_GET)).text).toMatch(/^HTTP\/1.1 403/);
  expect(said(await ask(dial(port))).peer).toBe(CALLER_ID);
  expect((await ask(dialPlain(port), LAST_GET)).text).toBe("");
});
