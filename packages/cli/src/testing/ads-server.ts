/** For tests: a control plane of few lines that serves what it is told, in the incremental form, over a socket of its own. */

import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";

const PREFIX = "type.googleapis.com/";

export interface ServedResource {
  /** As requests name the type. */
  readonly url: string;
  readonly name: string;
  /** Of the message. */
  readonly bytes: Buffer;
  /** Type of the message, where it is another than the one that is asked for. */
  readonly type?: string;
}

/** A field of a message: text, bytes or a message in it; numbers below 128 as a varint. */
export function field(number: number, value: string | Buffer | number): Buffer {
  if (typeof value === "number") return Buffer.from([number << 3, value]);
  const bytes = Buffer.from(value as string);
  return Buffer.concat([Buffer.from([(number << 3) | 2]), varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  return value < 128 ? Buffer.from([value]) : Buffer.concat([Buffer.from([(value & 127) | 128]), varint(value >>> 7)]);
}

export class TinyAdsServer implements AsyncDisposable {
  /** Names of nodes that have asked. */
  readonly nodes: string[] = [];
  /** Answers nothing of these. */
  readonly silent = new Set<string>();
  readonly #server: Http2Server;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #streams = new Map<ServerHttp2Stream, Map<string, Set<string>>>();
  #resources: readonly ServedResource[] = [];
  #nonce = 0;

  private constructor(server: Http2Server) {
    this.#server = server;
    server.on("stream", (stream) => this.#serve(stream));
    server.on("session", (session) => {
      this.#sessions.add(session);
      session.once("close", () => this.#sessions.delete(session));
    });
  }

  /** @param socket path of a socket. @default a free port of this machine */
  static async start(socket?: string): Promise<TinyAdsServer> {
    const server = createServer();
    const ads = new TinyAdsServer(server);
    await new Promise<void>((resolve) => {
      if (socket === undefined) server.listen(0, "127.0.0.1", resolve);
      else server.listen(socket, resolve);
    });
    return ads;
  }

  /** `host:port` */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Serves these from now on; whoever watches hears of the difference. */
  set(resources: readonly ServedResource[]): void {
    const before = this.#resources;
    this.#resources = resources;
    for (const [stream, asked] of this.#streams) {
      for (const url of asked.keys()) {
        const had = before.filter((each) => each.url === url);
        const has = resources.filter((each) => each.url === url);
        const changed = has.filter(
          ({ name, bytes }) => !had.some((old) => old.name === name && old.bytes.equals(bytes)),
        );
        const gone = had.filter(({ name }) => !has.some((each) => each.name === name)).map(({ name }) => name);
        if (changed.length + gone.length > 0) this.#answer(stream, url, changed, gone);
      }
    }
  }

  #serve(stream: ServerHttp2Stream): void {
    const asked = new Map<string, Set<string>>();
    this.#streams.set(stream, asked);
    stream.on("error", () => {}); // the test sees it on its side
    stream.on("close", () => this.#streams.delete(stream));
    stream.respond({ ":status": 200, "content-type": "application/grpc" });
    let rest = Buffer.alloc(0);
    stream.on("data", (bytes: Buffer) => {
      rest = Buffer.concat([rest, bytes]);
      while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
        const end = 5 + rest.readUInt32BE(1);
        this.#hear(stream, asked, rest.subarray(5, end));
        rest = rest.subarray(end);
      }
    });
  }

  #hear(stream: ServerHttp2Stream, asked: Map<string, Set<string>>, request: Buffer): void {
    const parts = fields(request);
    const [node] = parts.filter(([number]) => number === 1);
    if (node !== undefined) this.nodes.push(fields(node[1])[0]?.[1].toString() ?? "");
    const url = (parts.find(([number]) => number === 2)?.[1].toString() ?? "").replace(PREFIX, "");
    const names = parts.filter(([number]) => number === 3).map(([, name]) => name.toString());
    const first = !asked.has(url);
    const known = asked.get(url) ?? new Set();
    asked.set(url, known);
    for (const name of names) known.add(name);
    if (this.silent.has(url) || (!first && names.length === 0)) return;
    const all = this.#resources.filter((each) => each.url === url);
    const everything = names.length === 0 || names.includes("*");
    const gone = names.filter((name) => name !== "*" && !all.some((each) => each.name === name));
    this.#answer(stream, url, everything ? all : all.filter(({ name }) => names.includes(name)), gone);
  }

  #answer(stream: ServerHttp2Stream, url: string, some: readonly ServedResource[], gone: readonly string[]): void {
    const whole = (type: string) => (type.includes("/") ? type : PREFIX + type);
    const message = Buffer.concat([
      ...some.map(({ name, bytes, type = url }) =>
        field(
          2,
          Buffer.concat([
            field(3, name),
            field(1, "1"),
            field(2, Buffer.concat([field(1, whole(type)), field(2, bytes)])),
          ]),
        ),
      ),
      field(4, whole(url)),
      ...gone.map((name) => field(6, name)),
      field(5, `n${++this.#nonce}`),
    ]);
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.length, 1);
    stream.write(Buffer.concat([head, message]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.#sessions) session.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** Fields that are texts, bytes or messages: requests have no others that matter here. */
function fields(message: Buffer): readonly (readonly [number, Buffer])[] {
  const found: (readonly [number, Buffer])[] = [];
  let at = 0;
  const next = (): number => {
    const byte = message[at++] ?? 0;
    return byte < 128 ? byte : (byte & 127) + next() * 128;
  };
  while (at < message.length) {
    const tag = next();
    const length = next();
    if ((tag & 7) !== 2) continue; // a number: its value was read as the length
    found.push([tag >>> 3, message.subarray(at, at + length)]);
    at += length;
  }
  return found;
}
