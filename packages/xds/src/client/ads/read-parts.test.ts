import {
  Client,
  type ClientDuplexStream,
  credentials,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
} from "@grpc/grpc-js";
import { afterEach, expect, it } from "vitest";
import { dropReadParts } from "./read-parts.js";

const SIZE = 1_000_000;
const PATH = "/test.Service/Stream";
const asIs = (bytes: Uint8Array): Buffer => Buffer.from(bytes);

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** A stream on which a large message has come. */
async function stream(): Promise<ClientDuplexStream<Uint8Array, Buffer>> {
  const server = new Server();
  const ways = { requestSerialize: asIs, responseSerialize: asIs, requestDeserialize: asIs, responseDeserialize: asIs };
  server.addService(
    { Stream: { path: PATH, requestStream: true, responseStream: true, ...ways } },
    { Stream: (call: ServerDuplexStream<Uint8Array, Uint8Array>) => call.write(new Uint8Array(SIZE)) },
  );
  closing.push(() => server.forceShutdown());
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const call = client.makeBidiStreamRequest<Uint8Array, Buffer>(PATH, asIs, (bytes) => bytes);
  call.on("error", () => {}); // of its end
  closing.push(() => call.cancel());
  const [length] = await new Promise<[number]>((resolve) => call.once("data", (bytes) => resolve([bytes.length])));
  expect(length).toBe(SIZE);
  return call;
}

/** Of all buffers that lie in the calls below a stream, in any field. */
function heldBytes(root: object): number {
  const seen = new Set<object>([root]);
  const buffers = new Set<ArrayBufferLike>();
  for (const each of seen) {
    if (ArrayBuffer.isView(each)) buffers.add(each.buffer);
    else for (const value of Object.values(each)) if (typeof value === "object" && value !== null) seen.add(value);
  }
  return [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0);
}

it("lets go what grpc-js put a message together from, in the version that is installed", async () => {
  const call = await stream();
  // Whoever serves it is in this process, and holds what it wrote; it is not below the call.
  const { call: inner } = call as unknown as { readonly call: object };
  expect(heldBytes(inner)).toBeGreaterThan(SIZE);
  dropReadParts(call);
  expect(heldBytes(inner)).toBeLessThan(SIZE / 2);
});

it("does nothing to a stream that is made in another way", () => {
  for (const other of [{}, { call: { call: { child: { underlyingCalls: [{}, { call: { child: {} } }] } } } }])
    expect(() => dropReadParts(other)).not.toThrow();
});
