/** One deadline, from the wire of any server adapter to the wire of any client, and its end: over real sockets. */

import { createServer } from "node:http";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { InboundContext } from "@inmesh/core";
import axios from "axios";
import got from "got";
import { request } from "undici";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { axiosOptions } from "../src/axios/index.js";
import { gotOptions } from "../src/got/index.js";
import { createFetch } from "../src/index.js";
import { patchHttp } from "../src/internal.js";
import { attachServer, enterer, meshHandler } from "../src/server/handler.js";
import { Inbound } from "../src/server/inbound.js";
import { Servers } from "../src/server/servers.js";
import {
  closedPort,
  type FakeMesh,
  type FakeService,
  fakeMesh,
  listen,
  retries,
  type TestServer,
  until,
} from "./mesh.js";

/** What the inbound request leaves, in ms. */
const LEFT_MS = 150;
/** What a busy machine adds. Whatever else would end these waits takes 20 s and more. */
const LATE_MS = 5_000;

type Client = (mesh: FakeMesh, url: string) => Promise<number>;
const CLIENTS: Readonly<Record<string, Client>> = {
  fetch: async ({ dispatcher }, url) => (await createFetch(dispatcher)(url)).status,
  "undici's request": async ({ dispatcher }, url) => (await request(url, { dispatcher })).statusCode,
  "node:http": ({ client }, url) =>
    new Promise((resolve, reject) => {
      const undo = patchHttp(client);
      const { get } = process.getBuiltinModule("node:http");
      get(url, (response) => resolve(response.resume().statusCode ?? 0)).on("error", reject);
      undo();
    }),
  axios: async ({ client }, url) =>
    (await axios.get(url, { ...axiosOptions(client), validateStatus: null, responseType: "stream" })).status,
  got: async ({ client }, url) =>
    (await got(url, { ...gotOptions(client), throwHttpErrors: false, retry: { limit: 0 } } as never)).statusCode,
};

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

function meshOf(service: FakeService): FakeMesh {
  const mesh = fakeMesh({ next: { ...service, route: { timeoutMs: 60_000, ...service.route } } });
  open.push({ [Symbol.asyncDispose]: () => mesh.close() });
  return mesh;
}

describe("x-inmesh-timeout-ms of the inbound request", () => {
  let hanging: TestServer;
  let told: number[];
  let closed: number;
  beforeAll(async () => {
    hanging = await listen((incoming, response) => {
      told.push(Number(incoming.headers["x-inmesh-timeout-ms"]));
      response.on("close", () => {
        closed += 1;
      });
    });
  });
  afterAll(() => hanging[Symbol.asyncDispose]());

  /** Serves with `ask` what each adapter serves: the status that a call got, as text. */
  const SERVERS: Readonly<Record<string, (mesh: FakeMesh, ask: () => Promise<number>) => Promise<number>>> = {
    "a handler": async (mesh, ask) => {
      const inbound = new Inbound(mesh.engine);
      const servers = new Servers({ inbound, clock: mesh.engine.clock });
      const app = meshHandler(
        (_, response: import("node:http").ServerResponse) => ask().then((status) => response.end(String(status))),
        enterer(inbound, servers),
      );
      return serve(createServer(app));
    },
    "a server that was attached": async (mesh, ask) => {
      const inbound = new Inbound(mesh.engine);
      const servers = new Servers({ inbound, clock: mesh.engine.clock });
      const server = createServer((_, response) => ask().then((status) => response.end(String(status))));
      return serve(attachServer(server, servers));
    },
  };

  async function serve(server: import("node:http").Server): Promise<number> {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    open.push({
      async [Symbol.asyncDispose]() {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      },
    });
    return (server.address() as AddressInfo).port;
  }

  it.each(Object.keys(SERVERS).flatMap((server) => Object.keys(CLIENTS).map((client) => [server, client] as const)))(
    "goes from %s to %s, less what has passed, and ends the call",
    async (server, client) => {
      told = [];
      closed = 0;
      const mesh = meshOf({ endpoints: [hanging.port] });
      const port = await SERVERS[server]!(mesh, () => CLIENTS[client]!(mesh, "http://next/"));
      const startedAt = performance.now();
      const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { "x-inmesh-timeout-ms": String(LEFT_MS) } });
      expect(await answer.text()).toBe("504");
      const tookMs = performance.now() - startedAt;
      expect(tookMs).toBeGreaterThanOrEqual(LEFT_MS - 5);
      expect(tookMs).toBeLessThan(LEFT_MS + LATE_MS);
      expect(told).toHaveLength(1);
      expect(told[0]).toBeGreaterThan(0);
      expect(told[0]).toBeLessThanOrEqual(LEFT_MS);
      await until(() => closed === 1); // what waited for the answer is gone from the wire as well
    },
  );

  it("goes from an HTTP/2 stream to fetch", async () => {
    told = [];
    closed = 0;
    const mesh = meshOf({ endpoints: [hanging.port] });
    const inbound = new Inbound(mesh.engine);
    const servers = new Servers({ inbound, clock: mesh.engine.clock });
    const server = attachServer(
      createHttp2Server((_, response) =>
        CLIENTS.fetch!(mesh, "http://next/").then((status) => response.end(String(status))),
      ),
      servers,
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const stream = session.request({ ":path": "/", "x-inmesh-timeout-ms": String(LEFT_MS) });
    let text = "";
    for await (const chunk of stream) text += chunk;
    expect([text, told.length]).toEqual(["504", 1]);
    session.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
});

describe("the end of a call over sockets", () => {
  /** What it may be waiting for; each is cut off, and what it held is free. */
  const WAITS: Readonly<Record<string, () => Promise<{ service: FakeService; begun: (mesh: FakeMesh) => boolean }>>> = {
    "an answer": async () => {
      const server = await listen(() => {});
      open.push(server);
      return { service: { endpoints: [server.port] }, begun: () => server.sockets.size === 1 };
    },
    "the end of the body": async () => {
      let sent = false;
      const server = await listen((_, response) => {
        sent = response.writeHead(200).write("the beginning");
      });
      open.push(server);
      return { service: { endpoints: [server.port] }, begun: () => sent };
    },
    "the end of a back-off": async () => ({
      service: {
        endpoints: [await closedPort()],
        retry: retries(2, ["connect-failure"], { backoffBaseMs: 60_000, backoffMaxMs: 600_000 }),
      },
      begun: ({ engine }) => engine.clusters.all()[0]?.states[0]?.attempts === 1,
    }),
    "the time that Retry-After asks for": async () => {
      const server = await listen((_, response) => response.writeHead(503, { "retry-after": "20" }).end());
      open.push(server);
      return {
        service: { endpoints: [server.port], retry: retries(2, ["5xx"]) },
        begun: ({ engine }) => engine.clusters.all()[0]?.states[0]?.attempts === 1,
      };
    },
    "a place in the queue": async () => {
      const server = await listen(() => {});
      open.push(server);
      const limits = { maxConnections: 1, maxPendingRequests: 0, maxRequests: 0, maxRetries: 0 };
      return {
        service: { endpoints: [server.port], policy: { limits } },
        begun: ({ engine }) => server.sockets.size === 1 && engine.clusters.all()[0]?.limits.pending === 1,
      };
    },
  };

  const ask = async (mesh: FakeMesh, signal?: AbortSignal): Promise<string> => {
    const answer = await createFetch(mesh.dispatcher)("http://next/", signal ? { signal } : {});
    await answer.text();
    return String(answer.status);
  };

  async function freed(mesh: FakeMesh): Promise<void> {
    await until(() => mesh.engine.clusters.all().every(({ stats }) => stats.inFlight === 0));
    const { states, limits } = mesh.engine.clusters.all()[0]!;
    expect(states.map(({ inFlight }) => inFlight)).toEqual([0]);
    expect(limits).toMatchObject({ active: 0, pending: 0, retries: 0 });
    expect(mesh.engine.wheel.size).toBe(0);
  }

  it.each(Object.entries(WAITS))("by the inherited deadline reaches %s", async (name, prepare) => {
    const { service } = await prepare();
    const mesh = meshOf(service);
    const context = new InboundContext(mesh.engine.clock.now() + LEFT_MS, []);
    const calls = name === "a place in the queue" ? 2 : 1;
    const startedAt = performance.now();
    const ends = await mesh.engine.contexts.run(context, () =>
      Promise.all(Array.from({ length: calls }, () => ask(mesh).catch((error: Error) => error.constructor.name))),
    );
    const tookMs = performance.now() - startedAt;
    expect(tookMs).toBeLessThan(LEFT_MS + LATE_MS);
    // A wait that cannot end in time does not begin: the caller has its answer at once.
    if (name.startsWith("the time")) {
      expect(ends).toEqual(["503"]);
      expect(["retry_after", "deadline"]).toContain(mesh.calls[0]?.noRetry); // the latter where the answer was late
    } else expect(new Set(ends)).toEqual(new Set([name === "the end of the body" ? "TypeError" : "504"]));
    await freed(mesh);
  });

  it.each(Object.entries(WAITS))("by its caller reaches %s, in the same turn", async (name, prepare) => {
    const { service, begun } = await prepare();
    const mesh = meshOf(service);
    const calls = name === "a place in the queue" ? 2 : 1;
    const controller = new AbortController();
    const ends = Array.from({ length: calls }, () =>
      ask(mesh, controller.signal).catch((error: Error) => error.message),
    );
    await until(() => begun(mesh));
    controller.abort(new Error("enough"));
    // No timer is waited for, and no answer.
    expect(
      await Promise.race([Promise.all(ends), new Promise((resolve) => setImmediate(() => setImmediate(resolve)))]),
    ).toEqual(Array.from({ length: calls }, () => "enough"));
    await freed(mesh);
  });
});
