import { AsyncLocalStorage } from "node:async_hooks";
import { fork } from "node:child_process";
import { once } from "node:events";
import { createServer, type RequestListener, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { FakeClock } from "@inmesh/core/testing";
import { request } from "undici";
import { expect, it } from "vitest";
import { fakeMesh, listen, retries, until } from "./mesh.js";

const SWEEP_MS = 10_000;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

it("closes the pool of an endpoint that nobody calls any more, and opens another when somebody does", async () => {
  await using server = await listen((_, res) => void res.end("ok"));
  const clock = new FakeClock();
  const mesh = fakeMesh({ reviews: { endpoints: [server.port] } }, { transportClock: clock });
  const ask = async () => (await request("http://reviews/", { dispatcher: mesh.dispatcher })).body.text();
  await ask();
  clock.advance(SWEEP_MS);
  await ask();
  clock.advance(SWEEP_MS);
  expect(mesh.transport.size).toBe(1); // used since the last sweep
  clock.advance(2 * SWEEP_MS);
  expect([mesh.transport.size, clock.pending]).toEqual([0, 0]);
  await until(() => server.sockets.size === 0);
  expect(await ask()).toBe("ok");
  await mesh.close();
});

it("gives every request its own Host on one endpoint's connections, whatever was asked first", async () => {
  await using server = await listen((req, res) => void res.end(req.headers.host));
  const mesh = fakeMesh({ reviews: { endpoints: [server.port] } });
  const ask = async (host?: string) => {
    const headers = host === undefined ? {} : { host };
    return (await request("http://reviews/", { dispatcher: mesh.dispatcher, headers })).body.text();
  };
  for (const host of [undefined, "Reviews", "reviews:80", "two words", undefined]) {
    expect(await ask(host)).toBe(host ?? "reviews");
  }
  await mesh.close();

  const other = fakeMesh({ reviews: { endpoints: [server.port] } });
  const first = await request("http://reviews/", { dispatcher: other.dispatcher, headers: { host: "two words" } });
  expect(await first.body.text()).toBe("two words");
  await other.close();
});

it("reaches an endpoint by its IPv6 address", async () => {
  const server = createServer((req, res) => void res.end(req.headers.host)).listen(0, "::1");
  await once(server, "listening");
  const endpoint = { id: "six", address: "::1", port: (server.address() as AddressInfo).port };
  const mesh = fakeMesh({ reviews: { endpoints: [{ ...endpoint, weight: 1, labels: {}, workloads: [] }] } });
  const answer = await request("http://reviews/", { dispatcher: mesh.dispatcher });
  expect(await answer.body.text()).toBe("reviews");
  await mesh.close();
  server.close();
});

it("keeps nothing of the async context in which a connection was made", async () => {
  let answerFirst = () => {};
  await using server = await listen((req, res) => {
    if (req.url === "/first") answerFirst = () => void res.end("ok");
    else res.end("ok");
  });
  const mesh = fakeMesh({ reviews: { endpoints: [server.port] } });
  const ask = async (path: string) =>
    (await request(`http://reviews${path}`, { dispatcher: mesh.dispatcher })).body.text();
  const first = ask("/first"); // what there is once per process is made outside
  await until(() => server.sockets.size === 1);
  const contexts = new AsyncLocalStorage<object>();
  const inContext = async (): Promise<WeakRef<object>> => {
    const context = {};
    await contexts.run(context, () => ask("/second"));
    return new WeakRef(context);
  };
  const kept = await inContext();
  await until(() => {
    collectGarbage();
    return kept.deref() === undefined;
  });
  expect(server.sockets.size).toBe(2);
  answerFirst();
  await first;
  await mesh.close();
});

it("counts the connections it asked for, also those of endpoints that are gone", async () => {
  await using server = await listen((_, res) => void res.end("ok"));
  const mesh = fakeMesh({ reviews: { endpoints: [server.port] } });
  await (await request("http://reviews/", { dispatcher: mesh.dispatcher })).body.text();
  mesh.publish({ reviews: { endpoints: [] } });
  expect([mesh.transport.size, mesh.transport.connects]).toEqual([0, 1]);
  await mesh.close();
});

it("forgets the clients of a burst once their connections are gone, while the endpoint stays in use", async () => {
  await using server = await listen(together(20));
  server.server.keepAliveTimeout = 0;
  const clock = new FakeClock();
  const mesh = fakeMesh(
    { reviews: { endpoints: [server.port], connection: { idleTimeoutMs: 200 } } },
    { transportClock: clock },
  );
  const ask = async () => (await request("http://reviews/", { dispatcher: mesh.dispatcher })).body.text();
  await Promise.all(Array.from({ length: 20 }, ask));
  const used = async () => {
    await ask();
    clock.advance(SWEEP_MS);
    return mesh.transport.clients;
  };
  expect(await used()).toBeGreaterThanOrEqual(20); // as far as the first sweep knows, all of them are in use
  await until(() => server.sockets.size === 0, 2_000);
  expect(await used()).toBe(1);
  expect(await Promise.all(Array.from({ length: 3 }, ask))).toEqual(["ok", "ok", "ok"]);
  expect(mesh.transport.clients).toBeGreaterThanOrEqual(3);
  await mesh.close();
});

it("keeps the clients of a burst while policy keeps their connections", async () => {
  await using server = await listen(together(5));
  server.server.keepAliveTimeout = 0;
  const clock = new FakeClock();
  const mesh = fakeMesh(
    { reviews: { endpoints: [server.port], connection: { idleTimeoutMs: 600_000 } } },
    { transportClock: clock },
  );
  const ask = async () => (await request("http://reviews/", { dispatcher: mesh.dispatcher })).body.text();
  await Promise.all(Array.from({ length: 5 }, ask));
  for (let sweep = 0; sweep < 3; sweep++) {
    await ask();
    clock.advance(SWEEP_MS);
  }
  expect(server.sockets.size).toBeGreaterThanOrEqual(5);
  expect(mesh.transport.clients).toBe(server.sockets.size);
  await mesh.close();
});

it("does not cut a request that runs through any number of sweeps", async () => {
  const holder: { finish?: () => void } = {};
  await using server = await listen((_, res) => {
    res.write("long ");
    holder.finish = () => res.end("done");
  });
  const clock = new FakeClock();
  const mesh = fakeMesh({ reviews: { endpoints: [server.port] } }, { transportClock: clock });
  const { body } = await request("http://reviews/", { dispatcher: mesh.dispatcher });
  clock.advance(10 * SWEEP_MS);
  const closing = mesh.dispatcher.close(); // waits, too
  holder.finish?.();
  expect(await body.text()).toBe("long done");
  await closing;
  await mesh.close();
});

it("ends running requests when it is destroyed", async () => {
  await using server = await listen(() => {});
  const mesh = fakeMesh({ reviews: { endpoints: [server.port] } });
  const asked = request("http://reviews/", { dispatcher: mesh.dispatcher });
  await until(() => server.accepted() === 1);
  await mesh.transport.destroy(new Error("over"));
  expect((await asked).headers["x-inmesh-error"]).toBe("UPSTREAM_RESET");
  await mesh.close();
});

it("closes idle connections after the time that policy gives", async () => {
  await using server = await listen((_, res) => void res.end("ok"));
  server.server.keepAliveTimeout = 0; // no hint of its own
  const mesh = fakeMesh({ reviews: { endpoints: [server.port], connection: { idleTimeoutMs: 60 } } });
  await (await request("http://reviews/", { dispatcher: mesh.dispatcher })).body.dump();
  expect(server.sockets.size).toBe(1);
  await until(() => server.sockets.size === 0, 2_000);
  await mesh.close();
});

it("gives up connecting after the time that policy gives", async () => {
  // Its queue of connections is full: who comes later is left without an answer.
  const child = fork("-", [], { execArgv: ["-e", DEAF], stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const [port] = (await once(child, "message")) as [number];
  const fillers = Array.from({ length: 8 }, () => connect(port, "127.0.0.1").on("error", () => {}));
  await once(fillers[0]!, "connect");
  const mesh = fakeMesh({ reviews: { endpoints: [port], connection: { connectTimeoutMs: 200 } } });
  const { statusCode, headers, body } = await request("http://reviews/", { dispatcher: mesh.dispatcher });
  await body.dump();
  expect([statusCode, headers["x-inmesh-error"]]).toEqual([503, "CONNECT_FAILED"]);
  for (const filler of fillers) filler.destroy();
  child.kill("SIGKILL");
  await mesh.close();
});

it("holds the process while a call runs, and not a moment longer", async () => {
  const child = fork("-", [], { execArgv: ["-e", SERVER], stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const [port] = (await once(child, "message")) as [number];
  const held = () =>
    process.getActiveResourcesInfo().filter((name) => /TCPSocketWrap|Timeout|Immediate/.test(name)).length;
  const before = held();
  const mesh = fakeMesh({
    reviews: { endpoints: [port], retry: retries(2, ["5xx"], { backoffBaseMs: 50, backoffMaxMs: 50 }) },
  });
  const asked = request("http://reviews/", { dispatcher: mesh.dispatcher });
  await until(() => held() > before);
  await (await asked).body.text();
  await until(() => held() <= before + 1, 200); // the timer by which `until` waits
  expect(mesh.calls[0]).toMatchObject({ status: 200, attempts: 2 });
  await mesh.close();
  child.disconnect();
});

/** Keeps the first `count` requests until all of them have come; answers later ones at once. */
function together(count: number): RequestListener {
  const held: ServerResponse[] = [];
  return (_, res) => {
    held.push(res);
    if (held.length >= count) for (const each of held) each.end("ok");
  };
}

/** Listens, and never accepts. */
const DEAF = `
const server = require("net").createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () =>
  process.send(server.address().port, () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 30000)));
`;

/** Fails once, then answers; keeps connections for a minute, so that only the client can let go of them. */
const SERVER = `
let count = 0;
const server = require("http").createServer((_, res) => {
  if (count++ === 0) res.writeHead(503);
  setTimeout(() => res.end("ok"), 30);
});
server.keepAliveTimeout = 60000;
server.listen(0, "127.0.0.1", () => process.send(server.address().port));
process.on("disconnect", () => process.exit());
`;
