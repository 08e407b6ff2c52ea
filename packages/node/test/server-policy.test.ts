/** RateLimit and Resilience as people write them, before every kind of server, over real sockets. */

import { once } from "node:events";
import http, { type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { MemoryRegistry } from "@inmesh/core";
import type { EventsView, StatsView } from "@inmesh/core/admin";
import { parseDocuments } from "@inmesh/model";
import { afterEach, describe, expect, it } from "vitest";
import { type ConnectedMesh, PLANE } from "../src/connected-mesh.js";
import { createMesh } from "../src/create-mesh.js";
import type { Mesh } from "../src/mesh.js";
import type { MeshOptions } from "../src/settings/options.js";
import { type RunningServer, SERVER_KINDS, startServer } from "./server-kinds.js";
import { until } from "./until.js";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function ours(kind: string, spec: string): string {
  return `apiVersion: inmesh.dev/v1alpha1\nkind: ${kind}\nmetadata: { name: web, namespace: default }\nspec: ${spec}\n`;
}
const RATE_LIMIT = ours("RateLimit", "{ host: web, rules: [{ name: all, requests: 2, per: 60s }] }");
const ONE_AT_A_TIME = ours("Resilience", "{ host: web, server: { maxConcurrency: 1, priorityHeader: x-priority } }");

async function meshes(yaml: string, names: readonly string[] = ["web"], options: MeshOptions = {}) {
  const registry = new MemoryRegistry();
  const apply = async (text: string) => {
    const { documents, problems } = parseDocuments(text, { file: "policy.yaml", namespace: "default" });
    expect(problems).toEqual([]);
    await registry.apply(documents);
  };
  if (yaml !== "") await apply(yaml);
  const made: Mesh[] = [];
  for (const service of names) {
    const mesh = await createMesh({
      service,
      config: registry,
      propagationDelayMs: 0,
      admin: "off",
      log: "error",
      ...options,
    });
    closing.push(() => mesh.close());
    await mesh.ready();
    made.push(mesh);
  }
  const [mesh] = made as [Mesh];
  return { mesh, made, registry, apply };
}

function planeOf(mesh: Mesh) {
  return (mesh as ConnectedMesh)[PLANE];
}

async function running(kind: string, mesh: Mesh, application: (path: string) => string | Promise<string>) {
  const server = await startServer(kind, mesh, application);
  closing.push(() => server.close());
  return server;
}

function deferred() {
  let resolve!: () => void;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

describe.each(SERVER_KINDS)("%s", (kind) => {
  it("answers 429 beyond a RateLimit, before the application sees the request, and tells what is left before", async () => {
    const { mesh } = await meshes(RATE_LIMIT);
    let seen = 0;
    const { ask } = await running(kind, mesh, () => `served ${++seen}`);
    const answers = [await ask(), await ask({ method: "POST", body: "x".repeat(100_000) }), await ask()];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
    const policy = '"default/web/all";q=2;w=60';
    expect(answers[0]).toMatchObject({
      headers: { "ratelimit-policy": policy, ratelimit: '"default/web/all";r=1;t=30' },
    });
    expect(answers[2]!.headers).toMatchObject({
      "retry-after": expect.stringMatching(/^(29|30)$/),
      "ratelimit-policy": policy,
      ratelimit: expect.stringMatching(/^"default\/web\/all";r=0;t=(29|30)$/),
      "x-envoy-ratelimited": "true",
      "x-inmesh-error": "RATE_LIMITED",
      "content-type": "text/plain",
    });
    expect(answers[2]!.headers).not.toHaveProperty("x-inmesh-not-processed");
    expect(answers[2]!.body).toMatch(
      /^local_rate_limited\nrate limit "default\/web\/all" allows 2 requests per 60000 ms/,
    );
    const head = await ask({ method: "HEAD" });
    expect([head.status, head.body]).toEqual([429, ""]);
    // A connection goes on after a refused upload.
    const late = await ask({ method: "POST", body: "x".repeat(300_000) });
    expect([late.status, seen]).toEqual([429, 2]);
    const { inbound } = planeOf(mesh);
    await inbound.idle(AbortSignal.timeout(2_000));
    expect(inbound.read()).toMatchObject({ requests: 5, refused: 3, failures: 0, inFlight: 0 });
  });

  it("sheds load with 503 while it serves as many as it may, and never a question for its health", async () => {
    const { mesh } = await meshes(ONE_AT_A_TIME);
    const [begun, end] = [deferred(), deferred()];
    const { ask } = await running(kind, mesh, async (path) => {
      if (path !== "/slow") return "quick";
      begun.resolve();
      await end.promise;
      return "slow";
    });
    const slow = ask({ path: "/slow" });
    await begun.promise;
    const shed = await ask({ method: "POST", body: "order" });
    expect([shed.status, shed.headers]).toEqual([
      503,
      expect.objectContaining({
        "retry-after": "1",
        "x-envoy-overloaded": "true",
        "x-inmesh-not-processed": "true",
        "x-inmesh-error": "OVERLOADED",
      }),
    ]);
    expect(await ask({ path: "/healthz" })).toMatchObject({ status: 200, body: "quick" });
    expect(await ask({ headers: { "x-priority": "critical" } })).toMatchObject({ status: 200 });
    expect(await ask({ headers: { "x-priority": "sheddable" } })).toMatchObject({ status: 503 });
    end.resolve();
    expect(await slow).toMatchObject({ status: 200, body: "slow" });
    await planeOf(mesh).inbound.idle(AbortSignal.timeout(2_000));
    expect(await ask()).toMatchObject({ status: 200 });
  });

  it("answers 504 to a caller whose deadline has passed, and the application does not see it", async () => {
    const { mesh } = await meshes("");
    const seen: string[] = [];
    const { ask } = await running(kind, mesh, (path) => `${seen.push(path)}`);
    expect(await ask({ path: "/late", headers: { "x-inmesh-timeout-ms": "0" } })).toMatchObject({
      status: 504,
      headers: { "x-inmesh-error": "DEADLINE_EXCEEDED" },
    });
    expect(await ask({ path: "/in-time", headers: { "x-inmesh-timeout-ms": "5000" } })).toMatchObject({ status: 200 });
    expect(seen).toEqual(["/in-time"]);
    await planeOf(mesh).inbound.idle(AbortSignal.timeout(2_000));
    expect(planeOf(mesh).inbound.read()).toMatchObject({ requests: 2, expired: 1, refused: 0, failures: 0 });
  });

  it("tells the work for a caller that left in the same turn in which it hears of it", async () => {
    const { mesh } = await meshes("");
    const [begun, gone] = [deferred(), deferred()];
    const turns: number[] = [];
    const server: RunningServer = await running(kind, mesh, async () => {
      const signal = mesh.signal()!;
      // Goes away while a call made for it waits for its answer.
      const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      begun.resolve();
      await aborted;
      turns.push(planeOf(mesh).inbound.inFlight);
      gone.resolve();
      return "";
    });
    void server.leave({}, begun.promise);
    await gone.promise;
    expect(turns).toEqual([0]); // the microtask after the abort: nothing has waited in between
  });
});

describe("rate limits", () => {
  it("are taken up, changed and taken back while the process runs, and keep what they have counted", async () => {
    const { mesh, apply, registry } = await meshes(RATE_LIMIT);
    const { ask } = await running("node:http", mesh, () => "");
    const status = async () => (await ask()).status;
    expect([await status(), await status(), await status()]).toEqual([200, 200, 429]);
    const version = () => mesh.status.snapshot.version;
    const published = async (change: () => Promise<unknown>) => {
      const before = version();
      await change();
      await until(() => version() > before);
    };
    await published(() => apply(`${RATE_LIMIT}---\n${ONE_AT_A_TIME}`));
    expect(await status()).toBe(429);
    await published(() => apply(RATE_LIMIT.replace("requests: 2", "requests: 1")));
    expect([await status(), await status()]).toEqual([200, 429]);
    await published(() =>
      apply("apiVersion: inmesh.dev/v1alpha1\nkind: MeshMode\nmetadata: { name: m }\nspec: { mode: observe }"),
    );
    expect([await status(), await status()]).toEqual([200, 200]);
    await published(() => registry.delete(["MeshMode/default/m"]));
    await published(() => registry.delete(["RateLimit/default/web"]));
    expect([await status(), await status()]).toEqual([200, 200]);
  });

  it("count each source address and each value of a header for itself, and only what matches", async () => {
    const rules = `
  - { name: by-key, by: ["header:x-api-key", SOURCE_IP], requests: 1, per: 60s, match: [{ uri: { prefix: /api } }] }`;
    const { mesh } = await meshes(ours("RateLimit", `\n  host: web\n  rules:${rules}`));
    const { ask } = await running("node:http", mesh, () => "");
    const as = async (key: string, path = "/api/x") => (await ask({ path, headers: { "x-api-key": key } })).status;
    expect([await as("a"), await as("a"), await as("b"), await as("b"), await as("a", "/")]).toEqual([
      200, 429, 200, 429, 200,
    ]);
    const claimed = await ask({ path: "/api", headers: { "x-api-key": "a", "x-forwarded-for": "1.2.3.4" } });
    expect(claimed.status).toBe(429);
  });

  it("refuse to leave HTTP by an upgrade, and nothing that follows one", async () => {
    const { mesh } = await meshes(RATE_LIMIT);
    const server = mesh.attach(http.createServer());
    server.on("upgrade", (_, socket) =>
      socket.end("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
    );
    closing.push(() => server.close());
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as AddressInfo;
    const upgrade = async () => {
      const request = http.get({
        port,
        host: "127.0.0.1",
        agent: false,
        headers: { connection: "upgrade", upgrade: "x" },
      });
      const [answer] = (await Promise.race([once(request, "upgrade"), once(request, "response")])) as [IncomingMessage];
      request.destroy();
      return [answer.statusCode, answer.headers["x-inmesh-error"]];
    };
    expect([await upgrade(), await upgrade(), await upgrade()]).toEqual([
      [101, undefined],
      [101, undefined],
      [429, "RATE_LIMITED"],
    ]);
  });

  it("answer gRPC in its own words", async () => {
    const { mesh } = await meshes(RATE_LIMIT);
    const { ask } = await running("node:http2 in clear, stream events", mesh, () => "");
    const call = () =>
      ask({ method: "POST", path: "/shop.Cart/Add", headers: { "content-type": "application/grpc+proto" } });
    await call();
    await call();
    expect(await call()).toMatchObject({
      status: 200,
      body: "",
      headers: {
        "content-type": "application/grpc+proto",
        "grpc-status": "8",
        "grpc-message": expect.stringContaining("rate limit"),
      },
    });
  });
});

describe("work for a caller that left", () => {
  it("ends downstream, too, where it was given the signal; what is detached goes on, without deadline", async () => {
    const { made } = await meshes("", ["web", "back"]);
    const [web, back] = made as [Mesh, Mesh];
    const [arrived, closed, done] = [deferred(), deferred(), deferred()];
    const deadlines: Record<string, unknown> = {};
    const server = back.attach(
      http.createServer((request, response) => {
        deadlines[request.url ?? ""] = planeOf(back).engine.contexts.current()?.deadlineAt;
        if (request.url === "/detached") return response.end("done");
        response.on("close", () => closed.resolve());
        arrived.resolve();
        return undefined;
      }),
    );
    closing.push(() => server.close().closeAllConnections());
    await once(server.listen(0, "127.0.0.1"), "listening");
    await until(() => planeOf(web).store.current?.services.has("back.default.svc.cluster.local") === true);
    const { leave } = await running("node:http", web, async () => {
      const signal = web.signal()!;
      await web.fetch("http://back/", { signal }).catch(() => {});
      expect(signal.aborted).toBe(true);
      await web.detach(async () => {
        expect(web.signal()).toBeUndefined();
        expect(await (await web.fetch("http://back/detached")).text()).toBe("done");
        done.resolve();
      });
      return "";
    });
    void leave({ headers: { "x-inmesh-timeout-ms": "9000" } }, arrived.promise);
    await Promise.all([closed.promise, done.promise]);
    expect(deadlines).toEqual({ "/": expect.closeTo(performance.now() + 9_000, -4), "/detached": Infinity });
  });
});

describe("maxEventLoopDelay", () => {
  it("turns away while the event loop is late every time, and lets in again when it is not", async () => {
    const { mesh } = await meshes(ours("Resilience", "{ host: web, server: { maxEventLoopDelay: 60ms } }"));
    const { ask } = await running("node:http", mesh, (path) => {
      const until = performance.now() + (path === "/hard" ? 120 : 0);
      while (performance.now() < until);
      return "";
    });
    const seen = new Map<number, string>();
    // How many of them one turn of the loop brings is the system's choice.
    await until(async () => {
      const hard = await Promise.all(Array.from({ length: 10 }, () => ask({ path: "/hard" })));
      for (const { status, body } of hard) seen.set(status, body);
      return seen.has(200) && seen.has(503);
    });
    expect(seen.get(503)).toMatch(/the event loop is \d+ ms late/);
    await until(async () => (await ask()).status === 200);
  });
});

describe("a caller in the mesh", () => {
  it("has what one process sheds served by another, at once, also a POST", async () => {
    const { made } = await meshes(ONE_AT_A_TIME, ["front", "web", "web"]);
    const [front, one, two] = made as [Mesh, Mesh, Mesh];
    const [begun, end] = [deferred(), deferred()];
    const stays = await running("node:http", one, async () => {
      begun.resolve();
      await end.promise;
      return "one";
    });
    let orders = 0;
    const free = await running("node:http", two, () => `order ${++orders}`);
    const slow = stays.ask();
    await begun.promise;
    const endpoints = () => {
      const { current } = planeOf(front).store;
      const cluster = current?.cluster("outbound|80||web.default.svc.cluster.local");
      return cluster === undefined ? 0 : current!.endpoints(cluster).endpoints.length;
    };
    await until(() => endpoints() === 2);
    const before = planeOf(one).inbound.read().refused ?? 0;
    const from = performance.now();
    for (let index = 1; index <= 8; index++) {
      const response = await front.fetch("http://web/orders", { method: "POST", body: "book" });
      expect([response.status, await response.text()]).toEqual([200, `order ${index}`]);
    }
    expect(performance.now() - from).toBeLessThan(1_000); // Retry-After holds for the process that asks for it
    expect(planeOf(one).inbound.read().refused).toBeGreaterThan(before);
    expect(orders).toBe(8);
    end.resolve();
    await slow;
    expect(free.port).not.toBe(stays.port);
  });

  it("is not told by an application what only the mesh before it may say", async () => {
    const { made, apply } = await meshes("", ["front", "web"]);
    const [front, web] = made as [Mesh, Mesh];
    const [begun, end] = [deferred(), deferred()];
    const back = await running("node:http", web, async () => {
      begun.resolve();
      await end.promise;
      return "";
    });
    await apply(ONE_AT_A_TIME);
    await until(() => planeOf(web).engine.gate.active);
    const slow = back.ask();
    await begun.promise;
    await until(() => planeOf(front).store.current?.services.has("web.default.svc.cluster.local") === true);
    const fetched = await front.fetch("http://web/");
    expect([fetched.status, fetched.headers.get("x-inmesh-error")]).toEqual([503, "OVERLOADED"]);
    expect(fetched.headers.get("x-inmesh-not-processed")).toBeNull();
    const agent = front.agent();
    const [response] = (await once(http.get("http://web/", { agent }), "response")) as [IncomingMessage];
    expect([response.statusCode, response.rawHeaders.join().includes("x-inmesh-not-processed")]).toEqual([503, false]);
    response.resume();
    end.resolve();
    await slow;
    agent.destroy();
  });

  it("hands the priority and the rest of its deadline on, shorter at each hop", async () => {
    const named = (host: string) =>
      `apiVersion: inmesh.dev/v1alpha1\nkind: Resilience\nmetadata: { name: ${host} }\nspec: { host: ${host}, server: { maxConcurrency: 100, priorityHeader: x-priority } }`;
    const { made } = await meshes([named("a"), named("b")].join("\n---\n"), ["a", "b", "c"]);
    const [a, b, c] = made as [Mesh, Mesh, Mesh];
    const seen: [string, number][] = [];
    const serve = async (mesh: Mesh, next: string) => {
      const server = mesh.attach(
        http.createServer(async ({ headers }, response) => {
          const leftMs = planeOf(mesh).engine.contexts.current()!.deadlineAt - performance.now();
          seen.push([String(headers["x-priority"]), leftMs]);
          await new Promise((resolve) => setTimeout(resolve, 20));
          response.end(next && (await (await mesh.fetch(next)).text()));
        }),
      );
      closing.push(() => server.close().closeAllConnections());
      await once(server.listen(0, "127.0.0.1"), "listening");
      return (server.address() as AddressInfo).port;
    };
    const port = await serve(a, "http://b/");
    await serve(b, "http://c/");
    await serve(c, "");
    for (const mesh of [a, b])
      await until(() => planeOf(mesh).store.current?.services.has("c.default.svc.cluster.local") === true);
    await until(() => planeOf(a).store.current?.services.has("b.default.svc.cluster.local") === true);
    const headers = { "x-priority": "sheddable", "x-inmesh-timeout-ms": "1000" };
    await (await fetch(`http://127.0.0.1:${port}/`, { headers })).text();
    expect(seen.map(([priority]) => priority)).toEqual(["sheddable", "sheddable", "sheddable"]);
    const [first, second, third] = seen.map(([, leftMs]) => leftMs) as [number, number, number];
    expect(first).toBeLessThanOrEqual(1_000);
    expect(second).toBeLessThanOrEqual(first - 19);
    expect(third).toBeLessThanOrEqual(second - 19);
    expect(third).toBeGreaterThan(500);
  });
});

it("shows what is limited, what was refused, and when it began", async () => {
  const { mesh } = await meshes(`${RATE_LIMIT}---\n${ONE_AT_A_TIME}`, ["web"], { admin: "127.0.0.1:0" });
  const { ask } = await running("node:http", mesh, () => "");
  for (let index = 0; index < 5; index++) await ask();
  const read = async <View>(path: string) => (await (await fetch(`${mesh.adminUrl}${path}`)).json()) as View;
  expect((await read<StatsView>("/stats")).gate).toMatchObject({
    rateLimits: [{ name: "default/web/all", resource: "RateLimit/default/web", buckets: 1, passed: 2, refused: 3 }],
    admission: { resource: "Resilience/default/web", inFlight: 0, maxConcurrency: 1, admitted: 2, loopDelayMs: null },
  });
  const { events } = await read<EventsView>("/events");
  expect(events.filter(({ kind }) => kind === "shedding").map(({ message }) => message)).toEqual([
    "rate limit default/web/all turns requests away: more than 2 came per 60000 ms",
  ]);
});
