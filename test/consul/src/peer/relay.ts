/**
 * A relay before a real Consul: it writes down every request, and answers in the server's place, or spoils what the server
 * answered, as it is told to.
 */

import { once } from "node:events";
import http, { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

export interface RelayedRequest {
  /** When it came, in ms of the process's clock. */
  readonly at: number;
  readonly method: string;
  /** `/v1/kv/inmesh/policy/` */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly token: string | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Exchange {
  readonly request: RelayedRequest;
  /** What the server says; blocks as long as it does. */
  ask(): Promise<Answer>;
  send(answer: Answer): void;
  /** Ends the connection at once. */
  cut(): void;
  /** The connection, for what no server would do. */
  readonly socket: Socket;
}

/** How a request is answered. */
export type Behaviour = (exchange: Exchange) => Promise<void> | void;

const LOOPBACK = "127.0.0.1";

export class Relay implements AsyncDisposable {
  /** Since the relay was started, in order. */
  readonly requests: RelayedRequest[] = [];
  /** Undefined: passes everything on. */
  behaviour: Behaviour | undefined;
  readonly #target: number;
  readonly #server = createServer((request, response) => void this.#answer(request, response));
  readonly #sockets = new Set<Socket>();
  readonly #agent = new http.Agent({ keepAlive: true });
  #port = 0;

  /** @param target port of a Consul on 127.0.0.1 */
  constructor(target: number) {
    this.#target = target;
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  static async start(target: number): Promise<Relay> {
    const relay = new Relay(target);
    await relay.open();
    return relay;
  }

  /** Stays the same when the relay is closed and opened again. */
  get port(): number {
    return this.#port;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  async open(): Promise<void> {
    this.#server.listen(this.#port, LOOPBACK);
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Nobody is let in, and whoever was is thrown out. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) resetOrClose(socket);
    await closed;
  }

  /** Requests that came from then on. @param at ms of the process's clock */
  since(at: number): readonly RelayedRequest[] {
    return this.requests.filter((request) => request.at >= at);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    this.#agent.destroy();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://consul");
    const token = request.headers["x-consul-token"];
    const { method = "GET", socket } = request;
    const noted = { at: performance.now(), method, path: pathname, query: searchParams };
    const told = { ...noted, token: typeof token === "string" ? token : undefined };
    this.requests.push(told);
    response.on("error", () => {}); // whoever asked is gone
    const send = ({ status, headers, body }: Answer): void => {
      const { connection: _, "transfer-encoding": __, "content-length": ___, ...kept } = headers;
      response.writeHead(status, { ...kept, "content-length": body.length }).end(body);
    };
    const cut = (): void => resetOrClose(socket);
    const behave = this.behaviour ?? passes;
    try {
      await behave({ request: told, ask: () => this.#ask(request, response), send, cut, socket });
    } catch {
      cut(); // the server is gone, and so is what stands before it
    }
  }

  /** Withdrawn when whoever asked goes. */
  async #ask(request: IncomingMessage, response: ServerResponse): Promise<Answer> {
    const { method, url, headers } = request;
    const asked = http.request({ host: LOOPBACK, port: this.#target, method, path: url, headers, agent: this.#agent });
    response.once("close", () => asked.destroy());
    request.pipe(asked);
    const [answer] = (await once(asked, "response")) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk as Buffer);
    return { status: answer.statusCode ?? 502, headers: answer.headers, body: Buffer.concat(chunks) };
  }
}

const passes: Behaviour = async ({ ask, send }) => send(await ask());

/** Every answer comes so much later. */
export function slow(ms: number): Behaviour {
  return async ({ ask, send }) => {
    const answer = await ask();
    await delay(ms);
    send(answer);
  };
}

/** An answer of the relay's own. @param body text, or what becomes JSON */
export function reply(status: number, body: unknown, headers: IncomingHttpHeaders = {}): Behaviour {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const type = { "content-type": "application/json" };
  return ({ send }) => send({ status, headers: { ...type, ...headers }, body: Buffer.from(text) });
}

export function httpStatus(status: number, text: string): Behaviour {
  return reply(status, text, { "content-type": "text/plain" });
}

/** The server's answer, cut off in its middle. */
export const truncated: Behaviour = async ({ ask, socket }) => {
  const { status, headers, body } = await ask();
  const index = headers["x-consul-index"] ?? "1";
  socket.write(
    `HTTP/1.1 ${status} OK\r\ncontent-type: application/json\r\nx-consul-index: ${index}\r\ncontent-length: ${body.length + 10}\r\n\r\n`,
  );
  socket.write(body.subarray(0, body.length / 2));
  socket.end();
};

/** 200 with an index, and nothing in it that anybody could read. */
export const garbage: Behaviour = reply(200, "<html>log in to the hotel's network</html>", { "x-consul-index": "7" });

/** Never answers. */
export const silent: Behaviour = () => {};

/** Requests whose path begins so are treated so; all others as by `otherwise`. @default they pass */
export function only(path: string, behaviour: Behaviour, otherwise: Behaviour = passes): Behaviour {
  return (exchange) => (exchange.request.path.startsWith(path) ? behaviour(exchange) : otherwise(exchange));
}

/** A reset while the socket's own end is under way leaves Node with a handle that never closes, and a process that never ends. */
function resetOrClose(socket: Socket): void {
  if (socket.writableEnded && !socket.writableFinished) socket.destroy();
  else socket.resetAndDestroy();
}
