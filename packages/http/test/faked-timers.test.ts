/**
 * A test of the application's that fakes time: requests to the mesh go on, as they do without one. Fake timers are the
 * subject here; no other test of ours has them.
 */

import { once } from "node:events";
import type http from "node:http";
import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createHttp, type HttpFunctions } from "../src/node/index.js";
import { type FakeMesh, fakeMesh, listen, type TestServer } from "./mesh.js";

let server: TestServer;
let mesh: FakeMesh;
let meshed: HttpFunctions;

beforeEach(async () => {
  server = await listen((req, res) => {
    if (req.url === "/hang") return;
    req.resume().on("end", () => res.end("ok"));
  });
  mesh = fakeMesh({ reviews: { endpoints: [server.port] }, empty: { endpoints: [] } });
  meshed = createHttp(mesh.client);
});
afterEach(async () => {
  vi.useRealTimers();
  await mesh.close();
  await server[Symbol.asyncDispose]();
});

async function status(sent: http.ClientRequest): Promise<number | undefined> {
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  for await (const _ of response);
  return response.statusCode;
}

const get = (path = "/"): Promise<number | undefined> => status(meshed.get(`http://reviews${path}`));

it("a connection that was kept before serves", async () => {
  await get();
  await new Promise((resolve) => setImmediate(resolve)); // it is kept now
  vi.useFakeTimers();
  expect(await get()).toBe(200);
  expect(server.accepted()).toBe(1);
});

it("request follows request", async () => {
  vi.useFakeTimers();
  expect([await get(), await get(), await get()]).toEqual([200, 200, 200]);
});

it("what cannot be sent twice goes on a kept connection, too", async () => {
  await get();
  await new Promise((resolve) => setTimeout(resolve, 5)); // long enough for its peer to have closed it, for all we know
  vi.useFakeTimers();
  const sent = meshed.request("http://reviews/", { method: "POST" });
  Readable.from(["one", "two"]).pipe(sent);
  expect(await status(sent)).toBe(200);
  expect(server.accepted()).toBe(1);
});

it("the mesh answers by itself", async () => {
  vi.useFakeTimers();
  expect(await status(meshed.get("http://empty/"))).toBe(503);
});

it("a request's own timeout is told", async () => {
  vi.useFakeTimers();
  const sent = meshed.get("http://reviews/hang", { timeout: 20 });
  await once(sent, "timeout");
  sent.destroy();
  await once(sent, "error");
});

it("the clock of the engine runs on, and its date is the real one", async () => {
  vi.useFakeTimers({ now: 0 });
  await new Promise<void>((resolve) => void mesh.engine.clock.hold(1, resolve));
  expect(mesh.engine.clock.wallTime()).toBeGreaterThan(Date.UTC(2020));
});
