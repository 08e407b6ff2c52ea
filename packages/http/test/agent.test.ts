/** mesh.agent() and mesh.httpsAgent(): what they route, what they refuse, which connections they share. */

import { once } from "node:events";
import http, { type ClientRequest, type IncomingMessage, type RequestOptions } from "node:http";
import https from "node:https";
import type { HeaderOps, Route } from "@inmesh/model";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Notices } from "../src/internal.js";
import { MeshAgent, MeshHttpsAgent } from "../src/node/index.js";
import { closedPort, type FakeMesh, fakeMesh, listen, listenTcp, retries, type TestServer, until } from "./mesh.js";

let one: TestServer;
let two: TestServer;
let refused: number;
let mesh: FakeMesh;
let agent: MeshAgent;
let said: string[];

beforeAll(async () => {
  const start = (name: string) =>
    listen((req, res) => {
      if (req.url === "/hang") return;
      res.setHeader("x-name", name);
      res.end(JSON.stringify({ name, url: req.url, headers: req.headers }));
    });
  [one, two, refused] = [await start("one"), await start("two"), await closedPort()];
});
afterAll(async () => {
  await one[Symbol.asyncDispose]();
  await two[Symbol.asyncDispose]();
});
beforeEach(() => {
  said = [];
  mesh = fakeMesh({}, { notices: new Notices((message) => said.push(message)) });
  agent = new MeshAgent(mesh.client);
});
afterEach(async () => {
  agent.destroy();
  await mesh.close();
});

const ops = (name: string): HeaderOps => ({ set: [[name, "1"]], add: [], remove: [] });

interface Got {
  readonly status: number;
  readonly name: string;
  readonly headers: Record<string, string>;
  readonly reused: boolean;
}

async function answer(sent: ClientRequest): Promise<Got> {
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  let text = "";
  for await (const chunk of response) text += chunk;
  await until(() => sent.closed);
  return { status: response.statusCode ?? 0, reused: sent.reusedSocket, ...JSON.parse(text || "{}") };
}
const get = (url: string, options: RequestOptions = {}) => answer(http.get(url, { agent, ...options }));

describe("an agent of the mesh", () => {
  it("picks an endpoint for each request, and keeps its connections", async () => {
    mesh.publish({ reviews: { endpoints: [one.port, two.port] } });
    const heard = [];
    for (let count = 0; count < 6; count++) heard.push(await get("http://reviews/"));
    expect(heard.map(({ name }) => name).sort()).toEqual(["one", "one", "one", "two", "two", "two"]);
    expect(heard.filter(({ reused }) => reused)).toHaveLength(4);
    expect(mesh.calls.map(({ status, attempts }) => [status, attempts])).toEqual(Array(6).fill([200, 1]));
  });

  it("chooses the rule by the mesh's spelling of a path, and sends the application's", async () => {
    mesh.publish({ reviews: { endpoints: [one.port] } });
    expect(await get("http://reviews/", { path: "/x/../a" })).toMatchObject({ status: 200, url: "/x/../a" });
  });

  it("draws the destination of each request, over kept connections too", async () => {
    const destinations = ["v1", "v2"].map((name) => ({
      ...{ cluster: `outbound|80||${name}.default.svc.cluster.local`, host: name, port: 80, subset: "", weight: 50 },
    }));
    mesh.publish({
      v1: { endpoints: [one.port] },
      v2: { endpoints: [two.port] },
      reviews: { endpoints: [], route: { action: { kind: "forward", destinations, totalWeight: 100 } } },
    });
    const names = new Set<string>();
    for (let count = 0; count < 40; count++) names.add((await get("http://reviews/")).name);
    expect([...names].sort()).toEqual(["one", "two"]);
  });

  it("never serves one cluster over a connection of another, though their endpoint is the same", async () => {
    mesh.publish({ a: { endpoints: [one.port] }, b: { endpoints: [one.port] } });
    const reused = [];
    for (const host of ["a", "b", "a", "b"]) reused.push((await get(`http://${host}/`)).reused);
    expect(reused).toEqual([false, false, true, true]);
  });

  it("connects elsewhere when an endpoint refuses, for a POST too", async () => {
    mesh.publish({ reviews: { endpoints: [refused, one.port], retry: retries(2, ["connect-failure"]) } });
    for (let count = 0; count < 3; count++) {
      const sent = http.request("http://reviews/", { agent, method: "POST" });
      sent.end("x");
      expect((await answer(sent)).name).toBe("one");
    }
  });

  it("fails as Node does when nobody takes the connection", async () => {
    mesh.publish({ reviews: { endpoints: [refused] } });
    await expect(get("http://reviews/")).rejects.toMatchObject({
      code: "ECONNREFUSED",
      cause: { code: "CONNECT_FAILED" },
    });
    mesh.publish({ reviews: { endpoints: [] } });
    await expect(get("http://reviews/")).rejects.toMatchObject({ code: "NO_ENDPOINT" });
  });

  it("keeps the route's timeout", async () => {
    mesh.publish({ reviews: { endpoints: [one.port], route: { timeoutMs: 50 } } });
    await expect(get("http://reviews/hang")).rejects.toMatchObject({ code: "TIMEOUT" });
    expect(mesh.calls).toHaveLength(1);
  });

  it("counts a hang-up of the peer for the endpoint, and one of the caller for nobody", async () => {
    const cuts = await listenTcp((socket) => socket.once("data", () => socket.destroy()));
    mesh.publish({ reviews: { endpoints: [cuts.port] }, hangs: { endpoints: [one.port] } });
    await expect(get("http://reviews/")).rejects.toMatchObject({ code: "ECONNRESET" });
    const sent = http.get("http://hangs/hang", { agent });
    sent.on("socket", () => setTimeout(() => sent.destroy(), 20));
    await expect(once(sent, "response")).rejects.toMatchObject({ code: "ECONNRESET" });
    await until(() => mesh.calls.length === 2);
    const failures = [...mesh.engine.clusters.all()].map(({ states }) => states.map((state) => state.failures));
    expect(failures).toEqual([[1], [0]]);
    await cuts[Symbol.asyncDispose]();
  });

  it("ends at once when it is destroyed before it has a connection", async () => {
    mesh.publish({
      reviews: { endpoints: [one.port], route: { fault: { delayRatio: 1, delayMs: 5_000 } as Route["fault"] } },
    });
    const sent = http.get("http://reviews/", { agent });
    const error = once(sent, "error");
    sent.destroy();
    expect(await error).toMatchObject([{ code: "ECONNRESET", message: "socket hang up" }]);
    await until(() => sent.closed);
    expect(mesh.calls).toHaveLength(1);
  });

  it("respects maxSockets, and lets the others wait", async () => {
    agent = new MeshAgent(mesh.client, { maxSockets: 1 });
    mesh.publish({ reviews: { endpoints: [one.port] } });
    const before = one.sockets.size;
    const answers = await Promise.all(Array.from({ length: 8 }, () => get("http://reviews/")));
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
    await until(() => one.sockets.size <= before + 1);
  });

  it("hands down the time left while Node has not written the head", async () => {
    mesh.publish({ reviews: { endpoints: [one.port], route: { timeoutMs: 5_000 } } });
    expect(Number((await get("http://reviews/")).headers["x-inmesh-timeout-ms"])).toBeGreaterThan(4_000);
  });

  it("reads an answer nobody listens to, as Node does", async () => {
    mesh.publish({ reviews: { endpoints: [one.port] } });
    for (let count = 0; count < 3; count++) await once(http.get("http://reviews/", { agent }), "close");
    expect(mesh.calls.map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  it.each<[string, Partial<Route>]>([
    ["redirects", { action: { kind: "redirect", status: 302, location: () => "/" } }],
    ["answers", { action: { kind: "directResponse", status: 200, body: "x" } as Route["action"] }],
    ["rewrites the path", { rewrite: { path: () => "/other" } as unknown as Route["rewrite"] }],
    ["rewrites the authority", { rewrite: { authority: "other" } as Route["rewrite"] }],
    ["changes headers of the request", { requestHeaders: ops("a") }],
    ["changes headers of the answer", { responseHeaders: ops("a") }],
    [
      "mirrors",
      {
        mirrors: [
          { destination: { cluster: "c", host: "c", port: 80, subset: "", weight: 100 }, ratio: 1, field: "mirror" },
        ],
      },
    ],
  ])("refuses a rule that %s", async (_, route) => {
    mesh.publish({ reviews: { endpoints: [one.port], route } });
    const before = one.accepted();
    await expect(get("http://reviews/")).rejects.toMatchObject({
      code: "AGENT_UNSUPPORTED",
      message: expect.stringMatching(/^rule "default" .* an http\.Agent cannot do.*mesh\.http/),
    });
    expect(one.accepted()).toBe(before);
  });

  it("says once what it cannot do", async () => {
    mesh.publish({ reviews: { endpoints: [one.port] } });
    for (let count = 0; count < 3; count++) await get("http://reviews/");
    expect(said).toEqual([expect.stringMatching(/^mesh\.agent\(\) and mesh\.httpsAgent\(\) only route: no retry/)]);
  });

  it("is a plain agent for hosts outside the mesh", async () => {
    mesh.publish({ reviews: { endpoints: [one.port] } });
    const url = `http://localhost:${one.port}/`;
    const [first, again] = [await get(url), await get(url)];
    expect([first.reused, again.reused, mesh.calls.length, said]).toEqual([false, true, 0, []]);
  });

  it("waits for the first configuration", async () => {
    await mesh.close();
    mesh = fakeMesh();
    agent = new MeshAgent(mesh.client);
    const asked = [get("http://reviews/"), get(`http://outside.example:${one.port}/`, { lookup: toLoopback })];
    setImmediate(() => mesh.publish({ reviews: { endpoints: [one.port] } }));
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 200]);
    expect(mesh.calls).toHaveLength(1);
  });

  it("tunnels and upgrades", async () => {
    const upgrading = await listen(() => {});
    upgrading.server.on("upgrade", (_, socket) => {
      socket.end("HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\nhello");
    });
    mesh.publish({ chat: { endpoints: [upgrading.port] } });
    const sent = http.get("http://chat/", { agent, headers: { connection: "upgrade", upgrade: "chat" } });
    const [response, socket, head] = await once(sent, "upgrade");
    let text = String(head);
    for await (const chunk of socket) text += chunk;
    expect([response.statusCode, text]).toEqual([101, "hello"]);
    await until(() => mesh.calls.length === 1);
    await upgrading[Symbol.asyncDispose]();
  });
});

describe("an https agent of the mesh", () => {
  it("takes https URLs of services, whose TLS is what policy says, and keeps connections", async () => {
    const secure = new MeshHttpsAgent(mesh.client);
    mesh.publish({ reviews: { endpoints: [one.port] } });
    const heard = [];
    for (let count = 0; count < 3; count++) heard.push(await answer(https.get("https://reviews/s", { agent: secure })));
    expect(heard.map(({ status, reused }) => [status, reused])).toEqual([
      [200, false],
      [200, true],
      [200, true],
    ]);
    secure.destroy();
  });

  it("speaks TLS to hosts outside the mesh", async () => {
    const secure = new MeshHttpsAgent(mesh.client);
    const asked = answer(https.get(`https://localhost:${one.port}/`, { agent: secure }));
    await expect(asked).rejects.toMatchObject({ code: expect.stringMatching(/SSL|PROTO|ECONNRESET/) });
    secure.destroy();
  });
});

const toLoopback = ((_host: string, options: { all?: boolean }, done: (...args: unknown[]) => void) =>
  options.all ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4)) as never;
