/** A service of bytes in every form that gRPC has, of any copy of grpc-js. */

import type * as Grpc from "@grpc/grpc-js";

const bytes = (value: Buffer): Buffer => value;
const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/shop.Echo/${name}`,
  ...{ requestStream, responseStream, requestSerialize: bytes, requestDeserialize: bytes },
  ...{ responseSerialize: bytes, responseDeserialize: bytes },
});

export const ECHO = {
  Say: method("Say", false, false),
  Delete: method("Delete", false, false),
  Slow: method("Slow", false, false),
  Collect: method("Collect", true, false),
  Spread: method("Spread", false, true),
  Chat: method("Chat", true, true),
} satisfies Grpc.ServiceDefinition;

type Unary = Grpc.handleUnaryCall<Buffer, Buffer>;

/** What the handlers saw of calls, in order. */
export interface EchoLog {
  readonly calls: string[];
  readonly cancelled: string[];
  metadata: Record<string, Grpc.MetadataValue>;
  /** Whose connection the last unary call came by. */
  peer?: string;
  /** Done before a Say is answered. */
  onSay?: () => Promise<void>;
}

export function echoHandlers(log: EchoLog): Grpc.UntypedServiceImplementation {
  const unary: (name: string) => Unary = (name) => (call, done) => {
    log.calls.push(name);
    log.metadata = call.metadata.getMap();
    log.peer = call.getPeer();
    const answer = (): void => done(null, call.request);
    void (log.onSay?.() ?? Promise.resolve()).then(answer, done);
  };
  return {
    Say: unary("Say"),
    Delete: unary("Delete"),
    Slow: ((call) => {
      log.calls.push("Slow");
      call.on("cancelled", () => log.cancelled.push("Slow"));
    }) satisfies Unary,
    Collect: ((call, done) => {
      const chunks: Buffer[] = [];
      call.on("data", (chunk: Buffer) => chunks.push(chunk));
      call.on("end", () => done(null, Buffer.concat(chunks)));
    }) satisfies Grpc.handleClientStreamingCall<Buffer, Buffer>,
    Spread: ((call) => {
      for (const byte of call.request) call.write(Buffer.of(byte));
      call.end();
    }) satisfies Grpc.handleServerStreamingCall<Buffer, Buffer>,
    Chat: ((call) => {
      call.on("data", (chunk: Buffer) => call.write(chunk));
      call.on("end", () => call.end());
    }) satisfies Grpc.handleBidiStreamingCall<Buffer, Buffer>,
  };
}
