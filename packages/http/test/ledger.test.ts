/** Where the time of a call went, over real sockets: the parts sum to its duration, whoever calls, whatever becomes of it. */

import { once } from "node:events";
import http, { type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { type AttemptRecord, MeshError, type OutcomeRecord, seededRandom, type TimeLedger } from "@inmesh/core";
import { afterEach, beforeEach, expect, it } from "vitest";
import { MeshAgent } from "../src/node/index.js";
import { attachServer } from "../src/server/handler.js";
import { Inbound } from "../src/server/inbound.js";
import { Servers } from "../src/server/servers.js";
import { closedPort, type FakeMesh, fakeMesh, listen, request, retries, type TestServer, until } from "./mesh.js";

interface Told {
  readonly code: string;
  readonly durationMs: number;
  readonly meshMs: number;
  readonly ledger: TimeLedger;
  readonly attempts: readonly { readonly ms: number; readonly ledger: TimeLedger }[];
  readonly requestBytes: number;
  readonly responseBytes: number;
}

let server: TestServer;
let mesh: FakeMesh;
let told: Told[];

/** Answers after `?wait=` ms with `?bytes=` in chunks, the second half after another `?wait=` ms; counts what it reads. */
beforeEach(async () => {
  server = await listen(async (incoming, response) => {
    const query = new URL(incoming.url ?? "/", "http://x").searchParams;
    for await (const _ of incoming);
    const pause = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, Number(query.get("wait"))));
    await pause();
    response.statusCode = Number(query.get("status") ?? 200);
    const half = "x".repeat(Number(query.get("bytes")) / 2);
    response.write(half);
    await pause();
    response.end(half);
  });
  told = [];
});
afterEach(async () => {
  await mesh.close();
  await server[Symbol.asyncDispose]();
});

function open(options: Parameters<typeof fakeMesh>[1] = {}): void {
  mesh = fakeMesh({}, options);
  mesh.engine.sinks.add({
    ended: (record: OutcomeRecord) => {
      const { meshMs } = record; // before anybody asks for its attempts
      const { code, startedAt, endedAt, ledger, attempts, requestBytes, responseBytes } = record;
      told.push({
        ...{ code, durationMs: endedAt - startedAt, meshMs, ledger: { ...ledger }, requestBytes, responseBytes },
        attempts: attempts.map((each: AttemptRecord) => ({ ms: each.endedAt - each.startedAt, ledger: each.ledger })),
      });
    },
  });
}

function sum({ stallMs: _, ...parts }: TimeLedger): number {
  return Object.values(parts).reduce((all, part) => all + part, 0);
}

it("sums to the duration within 1 %, for calls that are answered, retried, cut and given up", async () => {
  open();
  const [port] = [server.port];
  mesh.publish({
    well: { endpoints: [port] },
    flaky: { endpoints: [port, await closedPort()], retry: retries(3, ["connect-failure", "5xx"]) },
    slow: { endpoints: [port], route: { timeoutMs: 30 } },
  });
  const random = seededRandom(11);
  for (let round = 0; round < 40; round++) {
    const host = ["well", "flaky", "slow"][random.int(3)];
    const wait = random.int(2) === 0 ? 0 : random.int(40);
    const url = `http://${host}/?wait=${wait}&bytes=${2 * random.int(50_000)}&status=${[200, 503][random.int(2)]}`;
    const body = random.int(2) === 0 ? "y".repeat(random.int(20_000)) : undefined;
    const answer = request(url, { dispatcher: mesh.dispatcher, method: body ? "PUT" : "GET", ...(body && { body }) });
    await answer.then(({ body: read }) => read.text()).catch(() => {}); // "slow" is cut
  }
  expect(told).toHaveLength(40);
  for (const { durationMs, meshMs, ledger, attempts } of told) {
    expect(Math.abs(sum(ledger) - durationMs)).toBeLessThanOrEqual(durationMs / 100);
    expect(meshMs).toBeCloseTo(ledger.meshMs, 6);
    for (const attempt of attempts)
      expect(Math.abs(sum(attempt.ledger) - attempt.ms)).toBeLessThanOrEqual(attempt.ms / 100);
  }
  expect(told.some(({ ledger }) => ledger.bodyMs > 10 && ledger.waitMs > 10)).toBe(true);
});

it("counts bodies that come in chunks, and says where the time went, where an agent routes", async () => {
  open({ timing: true });
  mesh.publish({ well: { endpoints: [server.port] } });
  const agent = new MeshAgent(mesh.client);
  const sent = http.request("http://well/?wait=20&bytes=30000", { agent, method: "POST" });
  sent.write("a".repeat(7_000));
  sent.end("b".repeat(3_000));
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  let read = 0;
  for await (const chunk of answer) read += (chunk as Buffer).length;
  await until(() => told.length === 1);
  agent.destroy();
  expect(read).toBe(30_000);
  const [{ requestBytes, responseBytes, ledger, durationMs } = told[0]!] = told; // there is one
  expect(responseBytes).toBe(30_000);
  expect(requestBytes).toBeGreaterThanOrEqual(10_000); // and the lengths of its chunks
  expect(requestBytes).toBeLessThan(10_050);
  expect(Math.abs(sum(ledger) - durationMs)).toBeLessThanOrEqual(durationMs / 100);
  const timing = String(answer.headers["x-inmesh-timing"]);
  expect(Number(/wait;dur=([\d.]+)/.exec(timing)?.[1])).toBeGreaterThanOrEqual(10); // of 20, timers may be some ms early
  expect(answer.rawHeaders.filter((name) => name === "x-inmesh-timing")).toHaveLength(1);
});

it("is in the error of a call that had no answer in time, in words and in numbers", async () => {
  open();
  const retry = retries(9, ["5xx"], { backoffBaseMs: 20, backoffMaxMs: 30 });
  // Time for one whole attempt and a part of the next one, on a machine that stands still for a while, too.
  mesh.publish({ slow: { endpoints: [server.port], retry, route: { timeoutMs: 1_500 } } });
  let failure: unknown;
  mesh.engine.observe({
    callEnded: ({ error }) => {
      failure = error;
    },
  });
  const answer = await request("http://slow/?wait=1000&bytes=2&status=503", { dispatcher: mesh.dispatcher });
  expect(answer.statusCode).toBe(504);
  expect(await answer.body.text()).toMatch(/Its time: .*\d+ ms waiting for an answer.*, \d+ ms between attempts\./);
  expect(failure).toBeInstanceOf(MeshError);
  const { ledger } = failure as MeshError;
  expect(ledger?.waitMs).toBeGreaterThan(20);
  expect(Math.abs(sum(ledger!) - (told[0]?.durationMs ?? 0))).toBeLessThan(5); // there is one
});

it("calls nothing connecting that ended before there was a connection to make", async () => {
  open();
  mesh.publish({ well: { endpoints: [server.port], tls: { mode: "SIMPLE", caCertificates: "/no/such/file.pem" } } });
  const answer = await request("http://well/?bytes=2", { dispatcher: mesh.dispatcher });
  await answer.body.text();
  expect(told[0]?.code).toBe("TLS_UNAVAILABLE");
  expect(told[0]?.ledger.connectMs).toBe(0);
});

it("says of a request that was served for how long this process stood still", async () => {
  mesh = fakeMesh({}, { timesStalls: true });
  const { engine } = mesh;
  const stalls: number[] = [];
  engine.sinks.add({ ended: ({ ledger }) => void stalls.push(ledger.stallMs) });
  const servers = new Servers({ inbound: new Inbound(engine), clock: engine.clock });
  const served = attachServer(
    http.createServer((incoming, response) => {
      const until = performance.now() + (incoming.url === "/busy" ? 300 : 0);
      while (performance.now() < until);
      response.end("done");
    }),
    servers,
  );
  await once(served.listen(0, "127.0.0.1"), "listening");
  const { port } = served.address() as AddressInfo;
  for (const path of ["/busy", "/idle"])
    expect(await (await fetch(`http://127.0.0.1:${port}${path}`)).text()).toBe("done");
  await until(() => stalls.length === 2);
  served.closeAllConnections();
  served.close();
  expect(stalls[0]).toBeGreaterThanOrEqual(200);
  expect(stalls[1]).toBeLessThan(200);
});
