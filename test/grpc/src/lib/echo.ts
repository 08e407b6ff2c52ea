/** A service of all four kinds of methods, whose messages are text; and servers of it on ports of their own. */

import { once } from "node:events";
import {
  type ChannelCredentials,
  type ClientOptions,
  type handleUnaryCall,
  Metadata,
  makeGenericClientConstructor,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type StatusObject,
  type sendUnaryData,
} from "@grpc/grpc-js";

const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/shop.Echo/${name}`,
  requestStream,
  responseStream,
  requestSerialize: (text: string) => Buffer.from(text),
  requestDeserialize: (bytes: Buffer) => bytes.toString(),
  responseSerialize: (text: string) => Buffer.from(text),
  responseDeserialize: (bytes: Buffer) => bytes.toString(),
});

export const ECHO = {
  say: method("Say", false, false),
  gather: method("Gather", true, false),
  list: method("List", false, true),
  talk: method("Talk", true, true),
} satisfies ServiceDefinition;

export const EchoClient = makeGenericClientConstructor(ECHO, "Echo");

/** One server; what its handlers do can be replaced while it runs. */
export interface EchoServer {
  readonly port: number;
  readonly server: Server;
  readonly calls: Metadata[];
  say: handleUnaryCall<string, string>;
  /** Breaks its connections and listens no more. */
  kill(): void;
}

export async function echoServer(name: string, closing: (() => unknown)[], port = 0): Promise<EchoServer> {
  const server = new Server();
  const calls: Metadata[] = [];
  const own: { say: handleUnaryCall<string, string> } = {
    say: ({ request }, callback) => callback(null, `${name}: ${request}`),
  };
  server.addService(ECHO, {
    say: (call: ServerUnaryCall<string, string>, callback: sendUnaryData<string>) => {
      calls.push(call.metadata);
      own.say(call, callback);
    },
    gather: (call: ServerReadableStream<string, string>, callback: sendUnaryData<string>) => {
      calls.push(call.metadata);
      const parts: string[] = [];
      call.on("data", (part: string) => parts.push(part));
      call.on("end", () => callback(null, `${name}: ${parts.join(",")}`));
    },
    list: (call: ServerWritableStream<string, string>) => {
      calls.push(call.metadata);
      for (let index = 0; index < Number(call.request); index++) call.write(`${name} ${index}`);
      call.end();
    },
    talk: (call: ServerDuplexStream<string, string>) => {
      calls.push(call.metadata);
      call.on("data", (part: string) => call.write(`${name}: ${part}`));
      call.on("end", () => call.end());
    },
  });
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, at) =>
      error === null ? resolve(at) : reject(error),
    );
  });
  closing.push(() => server.forceShutdown());
  return Object.assign(own, { port: bound, server, calls, kill: () => server.forceShutdown() });
}

export interface Answer {
  readonly text: string | undefined;
  readonly status: StatusObject;
  readonly head: Metadata | undefined;
}

type Client = InstanceType<typeof EchoClient>;

export function echoClient(
  target: string,
  credentials: ChannelCredentials,
  options: ClientOptions,
  closing: (() => unknown)[],
): Client {
  const client = new EchoClient(target, credentials, options);
  closing.push(() => client.close());
  return client;
}

/** One unary call, whatever becomes of it. */
export async function say(client: Client, text: string, metadata = new Metadata(), options = {}): Promise<Answer> {
  let head: Metadata | undefined;
  let answer: string | undefined;
  const call = client["say"]!(text, metadata, options, (_: unknown, value: string | undefined) => {
    answer = value;
  });
  call.on("metadata", (given: Metadata) => {
    head = given;
  });
  const [status] = await once(call, "status");
  return { text: answer, status, head };
}
