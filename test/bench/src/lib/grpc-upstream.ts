/** A gRPC server in a process of its own, so that its CPU is not counted: 865 bytes for every message, and streams of them. */

import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type handleServerStreamingCall, type handleUnaryCall, Server, ServerCredentials } from "@grpc/grpc-js";
import { forkPinned, OTHER_CPU } from "./pinned.js";
import { BODY } from "./upstream.js";

const bytes = {
  requestSerialize: (message: Buffer) => message,
  requestDeserialize: (message: Buffer) => message,
  responseSerialize: (message: Buffer) => message,
  responseDeserialize: (message: Buffer) => message,
};

export const REVIEWS = {
  get: { path: "/shop.Reviews/Get", requestStream: false, responseStream: false, ...bytes },
  list: { path: "/shop.Reviews/List", requestStream: false, responseStream: true, ...bytes },
};

export interface GrpcUpstream {
  readonly port: number;
  stop(): void;
}

export async function startGrpcUpstream(): Promise<GrpcUpstream> {
  const child = forkPinned(fileURLToPath(import.meta.url), ["serve-grpc"], OTHER_CPU, []);
  const [port] = (await once(child, "message")) as [number];
  return { port, stop: () => void child.kill() };
}

function serve(): void {
  const answer = Buffer.from(BODY);
  const get: handleUnaryCall<Buffer, Buffer> = (_, callback) => callback(null, answer);
  /** As many messages as the request says. */
  const list: handleServerStreamingCall<Buffer, Buffer> = (call) => {
    let left = call.request.readUInt32BE(0);
    const write = (): void => {
      while (left > 0) {
        left -= 1;
        if (!call.write(answer)) return void call.once("drain", write);
      }
      call.end();
    };
    write();
  };
  const server = new Server();
  server.addService(REVIEWS, { get, list });
  server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
    if (error !== null) throw error;
    process.send?.(port);
  });
}

if (process.argv[2] === "serve-grpc") {
  serve();
  process.on("disconnect", () => process.exit());
}
