/** HTTP/2 servers: one of Node's, and one that speaks in single frames, for peers that misbehave. */

import type { IncomingHttpHeaders, ServerOptions } from "node:http2";
import {
  createSecureServer,
  createServer,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import type { Issued } from "./certificates.js";
import { listenTcp } from "./mesh.js";

export interface Http2TestServer extends AsyncDisposable {
  readonly port: number;
  readonly server: Http2Server;
  /** Open now, in the order in which they came. */
  readonly sessions: ReadonlySet<ServerHttp2Session>;
  /** Connections accepted so far. */
  readonly accepted: () => number;
}

export type StreamHandler = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

/** @param issued undefined: in plaintext */
export async function listenHttp2(
  handler: StreamHandler,
  settings: ServerOptions["settings"] = {},
  issued?: Issued,
): Promise<Http2TestServer> {
  const server = (issued ? createSecureServer({ ...issued, settings }) : createServer({ settings })) as Http2Server;
  let accepted = 0;
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session) => {
    accepted += 1;
    sessions.add(session);
    session.on("close", () => sessions.delete(session)).on("error", () => {});
  });
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    handler(stream, headers);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    server,
    sessions,
    accepted: () => accepted,
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Reads a request to its end. */
export async function textOf(stream: ServerHttp2Stream): Promise<string> {
  let text = "";
  for await (const chunk of stream) text += chunk;
  return text;
}

export const FRAME = { DATA: 0, HEADERS: 1, RST_STREAM: 3, SETTINGS: 4, PING: 6, GOAWAY: 7 } as const;
const END_HEADERS = 4;
const PREFACE_BYTES = 24;

export class FramePeer {
  readonly socket: Socket;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  send(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): void {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head.writeUInt8(type, 3);
    head.writeUInt8(flags, 4);
    head.writeUInt32BE(stream, 5);
    this.socket.write(Buffer.concat([head, payload]));
  }

  /** `:status: 200`, of HPACK's static table, and no end. */
  ok(stream: number): void {
    this.send(FRAME.HEADERS, END_HEADERS, stream, Buffer.from([0x88]));
  }

  data(stream: number, text: string): void {
    this.send(FRAME.DATA, 0, stream, Buffer.from(text));
  }

  reset(stream: number, code: number): void {
    this.send(FRAME.RST_STREAM, 0, stream, words(code));
  }

  goAway(lastStream: number, code = 0): void {
    this.send(FRAME.GOAWAY, 0, 0, words(lastStream, code));
  }
}

/** @param onFrame hears of every frame but SETTINGS, which are answered */
export function listenFrames(
  onFrame: (peer: FramePeer, type: number, stream: number, connection: number) => void,
): ReturnType<typeof listenTcp> {
  return listenTcp((socket, connection) => {
    const peer = new FramePeer(socket);
    peer.send(FRAME.SETTINGS, 0, 0);
    let waiting = Buffer.alloc(0);
    let begun = false;
    socket.on("data", (chunk) => {
      waiting = Buffer.concat([waiting, chunk]);
      if (!begun && waiting.length < PREFACE_BYTES) return;
      if (!begun) waiting = waiting.subarray(PREFACE_BYTES);
      begun = true;
      while (waiting.length >= 9 && waiting.length >= 9 + waiting.readUIntBE(0, 3)) {
        const [type = 0, flags = 0] = [waiting[3], waiting[4]];
        const stream = waiting.readUInt32BE(5);
        waiting = waiting.subarray(9 + waiting.readUIntBE(0, 3));
        if (type !== FRAME.SETTINGS) onFrame(peer, type, stream, connection);
        else if (flags === 0) peer.send(FRAME.SETTINGS, 1, 0);
      }
    });
  });
}

function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, 4 * index);
  return bytes;
}
