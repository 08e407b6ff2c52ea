/** The part of the shop that speaks gRPC: each workload has a service of its own, `/v1.Shop/…`, that says who it is and who calls. */

import { type Client, type Metadata, type Server, ServerCredentials } from "@grpc/grpc-js";

/**
 * Of every service that speaks it. A proxy of istiod's takes the port from a name before it looks it up, and names without
 * one are given to port 80 alone.
 */
export const GRPC_PORT = 80;

const METHODS = ["Show", "Close"] as const;
const plain = (bytes: Buffer): Buffer => bytes;

/** @param caller by the word of whoever checked its certificate */
export function serveMethods(server: Server, by: string, caller: (metadata: Metadata) => string | undefined): Server {
  const coding = {
    ...{ requestSerialize: plain, requestDeserialize: plain, responseSerialize: plain, responseDeserialize: plain },
    ...{ requestStream: false, responseStream: false },
  };
  const answer = (call: { metadata: Metadata }, done: (error: null, answer: Buffer) => void): void =>
    done(null, Buffer.from(JSON.stringify({ by, caller: caller(call.metadata) })));
  server.addService(
    Object.fromEntries(METHODS.map((name) => [name, { path: `/${by}.Shop/${name}`, ...coding }])),
    Object.fromEntries(METHODS.map((name) => [name, answer])),
  );
  return server;
}

export function bind(server: Server, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    );
  });
}

/** @returns 200 for OK, else gRPC's code; the client is closed */
export async function callMethod(client: Client, method: string): Promise<{ status: number; text: string }> {
  try {
    return await new Promise((resolve) => {
      client.makeUnaryRequest(method, plain, plain, Buffer.from("?"), (error, answer) =>
        resolve(error === null ? { status: 200, text: String(answer) } : { status: error.code, text: error.details }),
      );
    });
  } finally {
    client.close();
  }
}
