/** What is kept of a request while somebody listens to what becomes of it; let go at its end. */

import { IncomingMessage, ServerResponse } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { InboundHead } from "@inmesh/core";
import { lineOf, REQUEST_ID_HEADER } from "../inbound-headers.js";
import type { Answer } from "../inbound-request.js";
import type { RequestHead } from "../request-head.js";
import { StreamAnswer } from "../stream-answer.js";
import { countBody, countedBytes, countedMessages } from "./counted-body.js";
import { isGrpc } from "./grpc-facts.js";
import { countMessages, sentBytes, sentMessages } from "./head-watch.js";
import type { Refusal } from "./refusal-details.js";

/** On a server of node:http2 that belongs to grpc-js: whether the handler of a path makes spans. For every copy of these packages. */
const TRACED: unique symbol = Symbol.for("@inmesh/grpc-traced@1");

interface SocketOfServer {
  readonly server?: { readonly [TRACED]?: (path: string) => boolean };
}

export class RequestFacts implements InboundHead {
  readonly carrier: IncomingMessage | ServerHttp2Stream;
  readonly socket: Socket | undefined;
  readonly method: string;
  /** With query, as it came. */
  readonly target: string;
  readonly startedAt: number;
  readonly snapshot: number;
  requestId = "";
  /** Of its caller; empty where there is none that can be read. */
  traceparent = "";
  /** Clock ms at which it was handed to the application; 0: it was not. */
  servedAt = 0;
  /** Clock ms at which the head of its answer was written; 0: none was. */
  headAt = 0;
  refusal: Refusal | undefined = undefined;
  /** What its caller says of itself, over mTLS. */
  peerWorkload = "";
  readonly #head: RequestHead;
  /** Of the connection, before the answer; -1: another answer stands before this one's. */
  readonly #sentBefore: number;

  constructor(
    carrier: IncomingMessage | ServerHttp2Stream,
    head: RequestHead,
    socket: Socket | undefined,
    startedAt: number,
    snapshot: number,
  ) {
    this.carrier = carrier;
    this.socket = socket;
    this.startedAt = startedAt;
    this.snapshot = snapshot;
    this.#head = head;
    if (carrier instanceof IncomingMessage) {
      this.method = carrier.method ?? "GET";
      this.target = carrier.url ?? "/";
      this.#sentBefore = socket?.bytesWritten ?? -1;
    } else {
      this.method = String(head.headers[":method"] ?? "");
      this.target = String(head.headers[":path"] ?? "");
      this.#sentBefore = -1;
    }
    addressesOf(socket); // a caller that has left has none
    const grpc = !(carrier instanceof IncomingMessage) && isGrpc(this.header("content-type"));
    if (grpc) countMessages(carrier);
    if (mayHaveBody(head)) countBody(carrier, grpc);
  }

  /** @param forward what is handed on to calls made for it, flat */
  takeIds(forward: readonly string[]): void {
    this.requestId = lineOf(forward, REQUEST_ID_HEADER);
    this.traceparent = lineOf(forward, "traceparent");
  }

  get headers(): RequestHead["headers"] {
    return this.#head.headers;
  }

  get protocol(): string {
    return this.carrier instanceof IncomingMessage ? `HTTP/${this.carrier.httpVersion}` : "HTTP/2";
  }

  /** Out of the lines as they came: Node makes `headers` of them when somebody asks, which the application may not. */
  header(name: string): string | undefined {
    const { rawHeaders } = this.#head;
    let found: string | undefined;
    for (let index = 0; index < rawHeaders.length; index += 2) {
      const key = rawHeaders[index]!; // flat pairs
      if (key.length !== name.length || (key !== name && key.toLowerCase() !== name)) continue;
      if (found !== undefined) return oneOf(this.#head.headers[name]); // Node knows which are joined, and which count once
      found = rawHeaders[index + 1];
    }
    return found;
  }

  get tracedBelow(): boolean {
    return (this.socket as SocketOfServer | undefined)?.server?.[TRACED]?.(this.target) === true;
  }

  requestBytes(): number {
    return countedBytes(this.carrier);
  }

  requestMessages(): number {
    return countedMessages(this.carrier);
  }

  responseMessages(answer: Answer): number {
    return answer instanceof StreamAnswer ? sentMessages(answer.stream) : 0;
  }

  /** Of HTTP/1.1 what its connection sent, with the lengths of chunks and without heads. */
  responseBytes(answer: Answer): number {
    if (answer instanceof StreamAnswer) return sentBytes(answer.stream);
    const response = answer as unknown as ServerResponse & { readonly _header?: string | null };
    if (!(response instanceof ServerResponse)) return 0;
    const length = Number(response.getHeader("content-length") ?? Number.NaN);
    if (this.#sentBefore < 0 || this.socket === undefined) return length || 0;
    if (typeof response._header !== "string") return 0;
    return Math.max(0, this.socket.bytesWritten - this.#sentBefore - response._header.length);
  }

  get localAddress(): string {
    return addressesOf(this.socket).local;
  }

  get remoteAddress(): string {
    return addressesOf(this.socket).remote;
  }
}

function mayHaveBody({ rawHeaders }: RequestHead): boolean {
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!; // flat pairs
    if (name.length === 14 && name.toLowerCase() === "content-length") return rawHeaders[index + 1] !== "0";
    if (name.length === 17 && name.toLowerCase() === "transfer-encoding") return true;
    if (name.length === 7 && name === ":method") {
      const method = rawHeaders[index + 1];
      if (method !== "GET" && method !== "HEAD") return true; // HTTP/2 frames bodies itself
    }
  }
  return false;
}

function oneOf(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === "string" ? value : value?.[0];
}

/** `address:port` of both ends; empty where unknown. */
interface Addresses {
  readonly local: string;
  readonly remote: string;
}

const UNKNOWN: Addresses = { local: "", remote: "" };

/** By the socket; a session of HTTP/2 has one that stands for it. */
const ADDRESSES = new WeakMap<object, Addresses>();

/** Once per connection: they do not change while it lasts, and are in every record. */
function addressesOf(socket: Socket | undefined): Addresses {
  if (socket === undefined) return UNKNOWN;
  let known = ADDRESSES.get(socket);
  if (known === undefined) {
    const local = addressOf(socket, "localAddress", "localPort");
    known = { local, remote: addressOf(socket, "remoteAddress", "remotePort") };
    if (known.remote !== "") ADDRESSES.set(socket, known);
  }
  return known;
}

/** That of a session of HTTP/2 throws once the session is over. */
function addressOf(
  socket: Socket | undefined,
  address: "localAddress" | "remoteAddress",
  port: "localPort" | "remotePort",
): string {
  try {
    const host = socket?.[address];
    if (host === undefined) return "";
    return `${host.includes(":") ? `[${host}]` : host}:${socket?.[port]}`;
  } catch {
    return "";
  }
}
