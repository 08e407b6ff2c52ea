/** A server of gRPC made of Node's HTTP/2 alone, for what grpc-js's never does: refusing streams, leaving in the middle, odd encodings. */

import { once } from "node:events";
import {
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type Settings,
} from "node:http2";
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from "node:net";

export interface RawCall {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  /** The whole request, framed, once its client has closed its half. */
  body(): Promise<Buffer>;
}

export interface RawServer {
  readonly port: number;
  readonly server: Http2Server;
  readonly sessions: ServerHttp2Session[];
  readonly calls: RawCall[];
}

/** @param handle what it does with the call of this number, from 0 */
export async function rawServer(
  handle: (call: RawCall, number: number) => unknown,
  closing: (() => unknown)[],
  settings: Settings = {},
): Promise<RawServer> {
  const server = createServer({ settings });
  const sessions: ServerHttp2Session[] = [];
  const calls: RawCall[] = [];
  server.on("session", (session) => sessions.push(session));
  server.on("stream", (stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", () => {});
    const ended = once(stream, "end");
    ended.catch(() => {});
    const call = { stream, headers, body: async () => ended.then(() => Buffer.concat(chunks)) };
    calls.push(call);
    void handle(call, calls.length - 1);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, server, sessions, calls };
}

export function framed(message: Buffer, compressed = false): Buffer {
  const head = Buffer.alloc(5);
  head[0] = compressed ? 1 : 0;
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** A whole good answer of one message. */
export function answer({ stream }: RawCall, message: Buffer, headers: Record<string, string> = {}): void {
  stream.respond({ ":status": 200, "content-type": "application/grpc", ...headers }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(message);
}

/** A line to a server, which can fall silent without being closed. Connections made after that work. */
export async function relayTo(port: number, closing: (() => unknown)[]): Promise<{ port: number; cut(): void }> {
  const ends: Socket[] = [];
  const relay = createTcpServer((near) => {
    const far = connect(port, "127.0.0.1");
    for (const end of [near, far]) end.on("error", () => {});
    near.pipe(far).pipe(near);
    ends.push(near, far);
  });
  relay.listen(0, "127.0.0.1");
  await once(relay, "listening");
  closing.push(() => {
    for (const end of ends) end.destroy();
    relay.close();
  });
  const cut = (): void => {
    for (const end of ends) end.unpipe().pause();
  };
  return { port: (relay.address() as AddressInfo).port, cut };
}
