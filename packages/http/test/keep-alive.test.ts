/** Kept connections and how long; connections to names. */

import dns from "node:dns";
import { once } from "node:events";
import http, { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { request } from "undici";
import { afterAll, describe, expect, it, vi } from "vitest";
import { createHttp, MeshAgent } from "../src/node/index.js";
import { fakeMesh, listen, listenTcp, until } from "./mesh.js";

const SECOND = 1_000;

type Done = (error: null, addresses: readonly { address: string; family: number }[]) => void;

describe("a server that says how long it keeps connections", () => {
  /** Never closes one. @param keepAlive its hint */
  const listenKeeping = (keepAlive: string, onEnd: (socket: Socket) => void) =>
    listenTcp((socket) => {
      socket.on("end", () => onEnd(socket));
      socket.on("data", () => {
        socket.write(
          `HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\nKeep-Alive: ${keepAlive}\r\n\r\nok`,
        );
      });
    });

  it("finds them closed a second earlier", async () => {
    let endedAt = 0;
    await using server = await listenKeeping("timeout=2", () => {
      endedAt = performance.now();
    });
    const mesh = fakeMesh({ reviews: { endpoints: [server.port] } });
    for (let each = 0; each < 2; each++) {
      const { body } = await request("http://reviews/", { dispatcher: mesh.dispatcher });
      expect(await body.text()).toBe("ok");
      await new Promise(setImmediate); // undici frees the connection
    }
    const answeredAt = performance.now();
    expect(server.accepted()).toBe(1);
    await until(() => endedAt > 0);
    expect(endedAt - answeredAt).toBeLessThan(2 * SECOND);
    await mesh.close();
  });

  it("for a second or less gets every request on a new one", async () => {
    await using server = await listenKeeping("timeout=1, max=9", () => {});
    const mesh = fakeMesh({ reviews: { endpoints: [server.port] } });
    for (let each = 0; each < 3; each++) {
      const { body } = await request("http://reviews/", { dispatcher: mesh.dispatcher });
      expect(await body.text()).toBe("ok");
    }
    expect(server.accepted()).toBe(3);
    await mesh.close();
  });
});

describe("an endpoint that is a name", () => {
  // The hosts file of a machine may have one of them only.
  const both = [
    { address: "::1", family: 6 },
    { address: "127.0.0.1", family: 4 },
  ];
  const { lookup } = dns;
  const spy = vi.spyOn(dns, "lookup").mockImplementation(((name: string, options: object, done: Done) => {
    if (name === "twin.test") done(null, both);
    else lookup(name, options, done as never);
  }) as unknown as typeof dns.lookup);
  afterAll(() => spy.mockRestore());

  it.each(["127.0.0.1", "::1"])("is reached where it listens at one of its addresses only, %s", async (address) => {
    const server = createServer((_, response) => void response.end(address)).listen(0, address);
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const named = { id: "named", address: "twin.test", port, weight: 1, labels: {}, workloads: [] };
    const mesh = fakeMesh({ reviews: { endpoints: [named] } });
    const { body } = await request("http://reviews/", { dispatcher: mesh.dispatcher });
    expect(await body.text()).toBe(address);
    const [through] = await once(createHttp(mesh.client).get("http://reviews/"), "response");
    expect([through.socket.remoteAddress, through.socket.remotePort]).toEqual([address, port]);
    await through.toArray();
    const agent = new MeshAgent(mesh.client);
    const [response] = await once(http.get("http://reviews/", { agent }), "response");
    expect(response.socket.autoSelectFamilyAttemptedAddresses).toHaveLength(address === "::1" ? 1 : 2);
    expect((await response.toArray()).join("")).toBe(address);
    agent.destroy();
    await mesh.close();
    server.closeAllConnections();
    server.close();
  });
});

it("a connection that comes while this process stands still is not too late", async () => {
  await using server = await listen((_, response) => void response.end("ok"));
  const mesh = fakeMesh({ reviews: { endpoints: [server.port], connection: { connectTimeoutMs: 1_000 } } });
  const agent = new MeshAgent(mesh.client);
  const asked = once(http.get("http://reviews/", { agent }), "response");
  await new Promise(process.nextTick);
  const until = performance.now() + 1_100;
  while (performance.now() < until); // its connection is made by the system meanwhile, and nobody looks
  const [response] = await asked;
  expect((await response.toArray()).join("")).toBe("ok");
  agent.destroy();
  await mesh.close();
});
