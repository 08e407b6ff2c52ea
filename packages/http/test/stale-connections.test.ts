/**
 * Connections that the peer closed while this process was busy: in its next turn of the event loop the news lies unread
 * in the system's buffers, and a request would be written to a connection that is gone.
 */

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { request } from "undici";
import { afterEach, expect, it } from "vitest";
import { type FakeMesh, fakeMesh, listen, retries } from "./mesh.js";

/** A server in a thread, which goes on while this one stands still. */
class ServerThread {
  readonly #worker: Worker;
  readonly #closed = new Int32Array(new SharedArrayBuffer(4));
  port = 0;

  constructor() {
    this.#worker = new Worker(PROGRAM, { eval: true, workerData: this.#closed });
  }

  async listen(): Promise<this> {
    [this.port] = await once(this.#worker, "message");
    return this;
  }

  /** Returns when the server and all of its connections are closed, without a turn of this thread's event loop. */
  closeMeanwhile(): void {
    this.#worker.postMessage("close");
    if (Atomics.wait(this.#closed, 0, 0, 5_000) === "timed-out") throw new Error("the server did not close");
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}

const PROGRAM = `
const { parentPort, workerData } = require("node:worker_threads");
const server = require("node:http").createServer((request, response) => request.resume().on("end", () => response.end("thread")));
server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));
parentPort.once("message", () => {
  server.close(() => {
    Atomics.store(workerData, 0, 1);
    Atomics.notify(workerData, 0);
  });
  server.closeAllConnections();
});
`;

let mesh: FakeMesh;
let thread: ServerThread;
afterEach(async () => {
  await mesh.close();
  await thread.end();
});

async function post(method: "POST" | "PUT" = "POST"): Promise<readonly [status: number, text: string]> {
  const { statusCode, body } = await request("http://reviews/", { dispatcher: mesh.dispatcher, method, body: "order" });
  return [statusCode, await body.text()];
}

it.each(["POST", "PUT"] as const)("sends no %s on a connection whose end it could know of", async (method) => {
  thread = await new ServerThread().listen();
  await using other = await listen((_, response) => response.end("other"));
  const retry = retries(2, ["connect-failure"]);
  mesh = fakeMesh({ reviews: { endpoints: [thread.port, other.port], retry } });
  const before = await Promise.all([post(), post(), post(), post()]);
  expect(before.map(([, text]) => text).sort()).toEqual(["other", "other", "thread", "thread"]);
  thread.closeMeanwhile();
  const after = await Promise.all([post(method), post(method), post(method), post(method)]);
  expect(after).toEqual(Array.from({ length: 4 }, () => [200, "other"]));
  if (method === "POST") expect(mesh.calls.filter(({ replayed }) => replayed)).toEqual([]);
});

it("takes an endpoint away between a request and its next turn, and loses neither", async () => {
  thread = await new ServerThread().listen();
  await using other = await listen((_, response) => response.end("other"));
  mesh = fakeMesh({ reviews: { endpoints: [thread.port] } });
  await post();
  const asked = post();
  mesh.publish({ reviews: { endpoints: [other.port] } });
  expect([await asked, await post()]).toEqual([
    [200, "thread"],
    [200, "other"],
  ]);
});
