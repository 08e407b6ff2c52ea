/** connectionPool's limits of connections and of requests that wait for one, on HTTP/1.1 and HTTP/2. */

import type { ConnectionPolicy, LimitPolicy } from "@inmesh/model";
import { request } from "undici";
import { describe, expect, it } from "vitest";
import { listenHttp2 } from "./http2-server.js";
import { type FakeService, fakeMesh, listen, retries, until } from "./mesh.js";

/** Answers when told to, in either version. */
async function holding(version: 1 | 2) {
  const held: ((text: string) => void)[] = [];
  const server =
    version === 1
      ? await listen((_, response) => void held.push((text) => response.end(text)))
      : await listenHttp2(
          (stream) =>
            void held.push((text) => {
              stream.respond();
              stream.end(text);
            }),
        );
  return {
    ...server,
    held,
    answer: () => held.shift()!("ok"),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

interface Given extends Omit<FakeService, "endpoints" | "connection" | "policy"> {
  readonly limits: Partial<LimitPolicy>;
  readonly connection?: Partial<ConnectionPolicy>;
}

function meshTo(ports: readonly number[], { limits, ...more }: Given) {
  const service = (given: Partial<LimitPolicy>, route?: FakeService["route"]): FakeService => ({
    ...more,
    ...(route && { route }),
    endpoints: ports,
    policy: { limits: { maxConnections: 0, maxPendingRequests: 0, maxRequests: 0, maxRetries: 0, ...given } },
  });
  const mesh = fakeMesh({ reviews: service(limits) });
  const ask = async (signal?: AbortSignal) => {
    const given = { dispatcher: mesh.dispatcher, ...(signal && { signal }) };
    const { statusCode, headers, body } = await request("http://reviews/", given);
    return { status: statusCode, headers, text: await body.text() };
  };
  const cluster = () => mesh.engine.clusters.all()[0]!; // called before
  return {
    mesh,
    ask,
    limits: () => cluster().limits,
    states: () => cluster().states,
    publish: (...given: Parameters<typeof service>) => mesh.publish({ reviews: service(...given) }),
    [Symbol.asyncDispose]: () => mesh.close(),
  };
}

/** With one stream on each of its connections HTTP/2 needs as many as HTTP/1.1. */
const VERSIONS = [
  ["HTTP/1.1", 1, {}],
  ["HTTP/2", 2, { protocol: "http2", maxConcurrentStreams: 1 }],
] as const;

describe.each(VERSIONS)("over %s", (_, version, connection) => {
  it("requests beyond maxConnections wait, in order, and those beyond http1MaxPendingRequests are refused", async () => {
    await using server = await holding(version);
    const retry = retries(2, ["5xx", "connect-failure", "reset"]);
    await using test = meshTo([server.port], {
      limits: { maxConnections: 2, maxPendingRequests: 2 },
      connection,
      retry,
    });
    const order: number[] = [];
    const asked = Array.from({ length: 4 }, async (_each, index) => {
      const answer = await test.ask();
      order.push(index);
      return answer;
    });
    const refused = await test.ask();
    expect([refused.status, refused.headers["x-inmesh-error"], refused.headers["x-envoy-overloaded"]]).toEqual([
      503,
      "OVERFLOW",
      "true",
    ]);
    expect(refused.text).toMatch(
      /^upstream connect error or disconnect\/reset before headers. reset reason: overflow\n.*2 requests wait for a connection, as many as policy allows \(connectionPool.http.http1MaxPendingRequests: 2\)/,
    );
    expect(test.mesh.calls).toMatchObject([{ attempts: 1, noRetry: "overloaded" }]);
    expect(test.limits()).toMatchObject({ connections: 2, pending: 2, active: 2, overflows: { pending: 1 } });
    for (let each = 0; each < 4; each++) {
      await until(() => server.held.length > 0);
      server.answer();
      await until(() => order.length === each + 1);
    }
    expect((await Promise.all(asked)).map(({ text }) => text)).toEqual(["ok", "ok", "ok", "ok"]);
    expect(order.slice(2)).toEqual([2, 3]);
    expect([server.accepted(), test.limits().pending, test.limits().active]).toEqual([2, 0, 0]);
    expect(test.states()[0]!.failures).toBe(0);
  });

  it("connections are counted over all endpoints, and each of them has one", async () => {
    await using one = await holding(version);
    await using two = await holding(version);
    await using three = await holding(version);
    await using test = meshTo([one.port, two.port, three.port], { limits: { maxConnections: 2 }, connection });
    const asked = Array.from({ length: 6 }, () => test.ask());
    const servers = [one, two, three];
    await until(() => servers.every(({ held }) => held.length === 1));
    expect(test.limits()).toMatchObject({ connections: 3, pending: 3 });
    for (let each = 0; each < 2; each++) {
      for (const server of servers) {
        await until(() => server.held.length === 1);
        server.answer();
      }
    }
    await Promise.all(asked);
    expect(servers.map(({ accepted }) => accepted())).toEqual([1, 1, 1]);
  });

  it("the place of a connection that closes is another endpoint's", async () => {
    await using one = await holding(version);
    await using two = await holding(version);
    await using test = meshTo([one.port, two.port], { limits: { maxConnections: 2 }, connection });
    const asked = Array.from({ length: 4 }, () => test.ask());
    await until(() => one.held.length === 1 && two.held.length === 1);
    expect(test.limits()).toMatchObject({ connections: 2, pending: 2 });
    one.answer();
    await until(() => one.held.length === 1); // the next one, on the same connection
    one.answer();
    await until(() => test.mesh.calls.length === 2);
    for (const socket of "sockets" in one ? one.sockets : one.sessions) socket.destroy();
    await until(() => two.held.length === 2);
    two.answer();
    two.answer();
    await Promise.all(asked);
    expect(two.accepted()).toBe(2);
  });

  it("who waits leaves at once when it is given up", async () => {
    await using server = await holding(version);
    await using test = meshTo([server.port], { limits: { maxConnections: 1 }, connection });
    const first = test.ask();
    await until(() => server.held.length === 1);
    const controller = new AbortController();
    const waiting = test.ask(controller.signal).catch((error: Error) => error.message);
    const late = test.ask();
    await until(() => test.limits().pending === 2);
    controller.abort();
    expect(test.limits()).toMatchObject({ pending: 1, active: 1 });
    expect(await waiting).toMatch(/aborted/);
    server.answer();
    await until(() => server.held.length === 1);
    server.answer();
    expect([(await first).status, (await late).status, test.states()[0]!.failures]).toEqual([200, 200, 0]);
  });

  it("who is out of time while it waits blames nobody", async () => {
    await using server = await holding(version);
    const limits = { maxConnections: 1 };
    await using test = meshTo([server.port], { limits, connection });
    const first = test.ask();
    await until(() => server.held.length === 1);
    test.publish(limits, { timeoutMs: 20 });
    const answers = await Promise.all([test.ask(), test.ask()]);
    expect(answers.map(({ status }) => status)).toEqual([504, 504]);
    for (const { text } of answers) expect(text).toContain("still waiting for a connection");
    expect(test.limits()).toMatchObject({ pending: 0, active: 1 });
    server.answer();
    await first;
    expect(test.states()[0]).toMatchObject({ attempts: 3, failures: 0 });
  });

  it("a policy that allows more is followed at once, and keeps what is open", async () => {
    await using server = await holding(version);
    await using test = meshTo([server.port], { limits: { maxConnections: 1, maxPendingRequests: 1 }, connection });
    const asked = [test.ask(), test.ask()];
    await until(() => server.held.length === 1);
    test.publish({ maxConnections: 2 });
    asked.push(test.ask());
    await until(() => server.held.length === 2);
    expect(test.limits()).toMatchObject({ connections: 2, pending: 1 });
    for (let each = 0; each < 3; each++) {
      await until(() => server.held.length > 0);
      server.answer();
    }
    await Promise.all(asked);
    expect(server.accepted()).toBe(2);
  });
});

it("an idle connection that closes gives its place back", async () => {
  await using server = await listen((_, response) => void response.end("ok"));
  await using test = meshTo([server.port], { limits: { maxConnections: 3 } });
  await test.ask();
  expect(test.limits().connections).toBe(1);
  for (const socket of server.sockets) socket.destroy();
  await until(() => test.limits().connections === 0);
  await test.ask();
  await test.mesh.transport.close();
  expect([test.limits().connections, server.accepted()]).toEqual([0, 2]);
});
