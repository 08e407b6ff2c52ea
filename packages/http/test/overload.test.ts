/** Limits and circuit breakers over real sockets; only the engine's clock is by hand. */

import type { RequestListener } from "node:http";
import { FakeClock } from "@inmesh/core/testing";
import type { BreakerPolicy, TrafficPolicy } from "@inmesh/model";
import { request } from "undici";
import { afterEach, describe, expect, it } from "vitest";
import { type FakeMesh, fakeMesh, listen, until } from "./mesh.js";

const cleanups: (() => PromiseLike<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const BREAKER: BreakerPolicy = {
  scope: "cluster",
  windowMs: 10_000,
  minRequests: 3,
  failureRatio: 0.5,
  openMs: 5_000,
  probes: 2,
  resource: { resource: { kind: "CircuitBreaker", namespace: "default", name: "reviews" }, path: "spec" },
};

async function meshTo(answer: RequestListener, policy: Partial<TrafficPolicy>) {
  const server = await listen(answer);
  const clock = new FakeClock();
  const mesh = fakeMesh({ reviews: { endpoints: [server.port], policy } }, { clock });
  cleanups.push(
    () => server[Symbol.asyncDispose](),
    () => mesh.close(),
  );
  return { mesh, clock, ask: (path?: string, headers?: Record<string, string>) => ask(mesh, path, headers) };
}

async function ask({ dispatcher }: FakeMesh, path = "/", headers: Record<string, string> = {}) {
  const sent = await request(`http://reviews${path}`, { dispatcher, headers });
  return { status: sent.statusCode, headers: sent.headers, text: await sent.body.text() };
}

it("answers what is beyond a limit itself, and tells callers not to try again", async () => {
  const held: (() => void)[] = [];
  const { mesh, ask } = await meshTo((_, response) => void held.push(() => response.end("ok")), {
    limits: { maxConnections: 0, maxPendingRequests: 0, maxRequests: 2, maxRetries: 0 },
  });
  const served = [ask(), ask()];
  await until(() => held.length === 2);
  const { status, headers, text } = await ask();
  expect([status, headers["x-inmesh-error"], headers["x-envoy-overloaded"]]).toEqual([503, "OVERFLOW", "true"]);
  expect(text).toMatch(/^upstream connect error or disconnect\/reset before headers\. reset reason: overflow\n/);
  for (const release of held.splice(0)) release();
  expect((await Promise.all(served)).map((each) => each.text)).toEqual(["ok", "ok"]);
  const last = ask();
  await until(() => held.length === 1);
  held[0]?.();
  expect((await last).status).toBe(200);
  await until(() => mesh.engine.clusters.all()[0]?.limits.active === 0);
});

describe("a circuit breaker", () => {
  it("opens, sends nothing, probes when its wait is over, and closes", async () => {
    let status = 503;
    let seen = 0;
    const { mesh, clock, ask } = await meshTo(
      (_, response) => {
        seen += 1;
        response.writeHead(status).end("answer");
      },
      { breaker: BREAKER },
    );
    const isOpen = () => mesh.engine.clusters.all()[0]?.breakers?.all()[0]?.state(clock.now()) === "open";
    for (let each = 0; each < 3; each++) expect((await ask()).status).toBe(503);
    await until(isOpen); // opossum was loaded with the first failure
    const refused = await ask();
    expect([refused.status, refused.headers["x-inmesh-error"], seen]).toEqual([503, "BREAKER_OPEN", 3]);
    expect(refused.text).toContain("100% of 3 attempts in 10000 ms failed");
    status = 200;
    await clock.advance(5_000);
    expect([(await ask()).status, (await ask()).status, seen]).toEqual([200, 200, 5]);
    expect((await ask()).status).toBe(200);
  });

  it("falls back on the last good answer, byte by byte, but for what is somebody's own", async () => {
    let good = true;
    const body = Buffer.alloc(100_000, "0123456789");
    const { mesh, clock, ask } = await meshTo(
      ({ url }, response) => {
        if (!good) return void response.writeHead(503).end();
        if (url === "/own") response.setHeader("set-cookie", "a=b");
        response.writeHead(200, { "content-type": "text/plain", etag: '"1"' });
        for (let at = 0; at < body.length; at += 10_000) response.write(body.subarray(at, at + 10_000));
        response.end();
      },
      { breaker: { ...BREAKER, fallback: { kind: "stale", maxAgeMs: 60_000 } } },
    );
    for (const path of ["/", "/own"]) expect((await ask(path)).text.length).toBe(body.length);
    await ask("/mine", { authorization: "Bearer x" });
    good = false;
    for (let each = 0; each < 9; each++) await ask("/");
    await until(() => mesh.engine.clusters.all()[0]?.breakers?.all()[0]?.state(clock.now()) === "open");
    await clock.advance(3_000);
    const stale = await ask("/");
    expect([stale.status, stale.text === body.toString(), mesh.calls.at(-1)?.fallback]).toEqual([200, true, "stale"]);
    expect(stale.headers).toMatchObject({
      etag: '"1"',
      age: "3",
      warning: '110 - "Response is Stale"',
      "x-inmesh-error": "BREAKER_OPEN",
      "content-length": "100000",
    });
    for (const path of ["/own", "/mine", "/other"]) expect((await ask(path)).status).toBe(503);
    expect((await ask("/", { authorization: "Bearer x" })).status).toBe(503);
  });
});
