/** Calls of the mesh's own to services of the mesh, through its own gRPC client: routed, limited and encrypted as any call. */

import type { Clock } from "@inmesh/core";
import type { GrpcClient } from "../client/client.js";
import { ownGrpc } from "../client/grpc-module.js";
import type { Client } from "../grpc-js.js";

export interface UnaryCall {
  readonly host: string;
  readonly port: number;
  /** `/package.Service/Method` */
  readonly path: string;
  readonly message: Uint8Array;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Nobody's answer is larger, in bytes. */
const MOST_BYTES = 1024 * 1024;

export class ServiceClients {
  readonly #grpc: () => GrpcClient;
  readonly #clock: Clock;
  readonly #clients = new Map<string, Client>();

  /** @param grpc asked for with the first call */
  constructor(grpc: () => GrpcClient, clock: Clock) {
    this.#grpc = grpc;
    this.#clock = clock;
  }

  /** Rejects with the ServiceError of grpc-js, or in words where there was no answer in time. */
  call({ host, port, path, message, timeoutMs, signal }: UnaryCall): Promise<Uint8Array> {
    const client = this.#client(`${host.includes(":") ? `[${host}]` : host}:${port}`);
    return new Promise((resolve, reject) => {
      const over = (): void => {
        timer.cancel();
        signal?.removeEventListener("abort", aborted);
      };
      const call = client.makeUnaryRequest(path, Buffer.from, bytesOf, message, (error, answer) => {
        over();
        if (error !== null) reject(error);
        else resolve(answer ?? new Uint8Array(0));
      });
      const give = (reason: unknown): void => {
        over();
        reject(reason); // before the call's own word of it
        call.cancel();
      };
      const timer = this.#clock.after(timeoutMs, () => give(new Error(`no answer within ${timeoutMs} ms`)));
      const aborted = (): void => give(signal?.reason);
      signal?.addEventListener("abort", aborted);
      if (signal?.aborted === true) aborted();
    });
  }

  close(): void {
    for (const client of this.#clients.values()) client.close();
    this.#clients.clear();
  }

  #client(address: string): Client {
    let client = this.#clients.get(address);
    if (client === undefined) {
      const grpc = this.#grpc();
      const options = { ...grpc.options(), "grpc.max_receive_message_length": MOST_BYTES };
      client = new (ownGrpc().Client)(address, grpc.credentials(), options);
      this.#clients.set(address, client);
    }
    return client;
  }
}

function bytesOf(buffer: Buffer): Uint8Array {
  return buffer;
}
