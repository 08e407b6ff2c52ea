import { once } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Worker } from "node:worker_threads";
import { systemClock } from "@inmesh/core";
import { afterEach, describe, expect, it } from "vitest";
import { GrpcTransport } from "./grpc-transport.js";
import type { AdsStream } from "./transport.js";

setFlagsFromString("--expose-gc");
const gc = runInNewContext("gc") as () => void;

/** A control plane that says whatever byte it is asked, that many times; in a thread, since what it holds is not to be measured. */
const SERVER = `
  const { parentPort, workerData: size } = require("node:worker_threads");
  const { Server, ServerCredentials } = require("@grpc/grpc-js");
  const asIs = (bytes) => Buffer.from(bytes);
  const path = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
  const ways = { requestSerialize: asIs, responseSerialize: asIs, requestDeserialize: asIs, responseDeserialize: asIs };
  const server = new Server();
  server.addService(
    { Delta: { path, requestStream: true, responseStream: true, ...ways } },
    { Delta: (call) => void call.on("data", ([first]) => call.write(new Uint8Array(size).fill(first))) },
  );
  server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => parentPort.postMessage(port));
`;

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function server(size: number): Promise<string> {
  const thread = new Worker(SERVER, { eval: true, workerData: size });
  closing.push(() => thread.terminate());
  const [port] = await once(thread, "message");
  return `127.0.0.1:${port}`;
}

describe("GrpcTransport", () => {
  it("hands on each message whole, and keeps no second copy of the last one while nothing more is said", async () => {
    const SIZE = 16_000_000; // what other suites leave in this process is small beside it
    const transport = new GrpcTransport({
      ...{ address: await server(SIZE), clock: systemClock },
      access: () => ({ tls: undefined, token: undefined }),
    });
    const heard: (readonly [length: number, first: number | undefined, last: number | undefined])[] = [];
    let waiting = (): void => {};
    const stream = await new Promise<AdsStream>((resolve, reject) => {
      const opened: AdsStream = transport.open("delta", {
        onOpen: () => resolve(opened),
        onMessage: (bytes) => {
          heard.push([bytes.length, bytes[0], bytes.at(-1)]);
          waiting();
        },
        onEnd: (reason) => reject(new Error(reason)),
      });
    });
    closing.push(() => stream.cancel());
    const ask = (first: number) =>
      new Promise<void>((resolve) => {
        waiting = resolve;
        stream.send(Uint8Array.of(first));
      });
    const held = async () => {
      for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate).then(gc);
      return process.memoryUsage().arrayBuffers;
    };
    const before = await held();
    for (const first of [1, 2, 3]) await ask(first);
    expect(heard).toEqual([1, 2, 3].map((first) => [SIZE, first, first]));
    // One that V8 has not let go yet may be there, but not what it was put together from as well.
    expect((await held()) - before).toBeLessThan(1.5 * SIZE);
  });
});
