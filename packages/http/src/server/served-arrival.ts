/** A request that arrived, as access control looks at it: each line as it came, since joining them can hide one. */

import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import type { Arrival, BodyStart, InboundContext } from "@inmesh/core";
import type { PeerIdentity } from "@inmesh/model";
import { ArrivingBody } from "./arriving-body.js";
import type { RequestHead } from "./request-head.js";
import { connectionOf } from "./tls/connection.js";

export class ServedArrival implements Arrival {
  readonly method: string;
  readonly target: string;
  readonly authority: string;
  readonly manyHosts: boolean;
  readonly lines: readonly string[];
  readonly context: InboundContext | undefined;
  readonly #socket: Partial<Socket> | undefined;
  readonly #connection: ReturnType<typeof connectionOf>;
  readonly #openBody: (() => Readable) | undefined;

  constructor(
    head: ArrivedHead,
    rawHeaders: readonly string[],
    socket: object | undefined,
    { context, openBody }: ArrivalParts = NOTHING_MORE,
  ) {
    this.method = head.method;
    this.target = head.target;
    this.authority = head.authority;
    this.manyHosts = head.manyHosts;
    this.lines = rawHeaders;
    this.context = context;
    this.#socket = socket;
    this.#connection = connectionOf(socket);
    this.#openBody = openBody;
  }

  static of(request: IncomingMessage, more?: ArrivalParts): ServedArrival {
    const { method = "GET", url = "/", headers, rawHeaders, socket } = request;
    const manyHosts = countLines(rawHeaders, "host") > 1;
    const head = { method, target: url, authority: headers.host ?? "", manyHosts };
    return new ServedArrival(head, rawHeaders, socket, more);
  }

  /** @param socket of its session */
  static ofStream(
    { headers, rawHeaders }: RequestHead,
    socket: object | undefined,
    more?: ArrivalParts,
  ): ServedArrival {
    const method = text(headers[":method"]);
    const host = text(headers["host"]);
    const authority = text(headers[":authority"]) || host;
    const target = method === "CONNECT" ? authority : text(headers[":path"]);
    // Two names for one host: which of them the application reads nobody knows.
    const manyHosts = (host !== "" && host !== authority) || countLines(rawHeaders, "host") > 1;
    return new ServedArrival({ method, target, authority, manyHosts }, rawHeaders, socket, more);
  }

  header(name: string): string | readonly string[] | undefined {
    const raw = this.lines;
    let found: string | string[] | undefined;
    for (let index = 0; index < raw.length; index += 2) {
      const written = raw[index]!; // flat pairs
      if (written.length !== name.length || (written !== name && written.toLowerCase() !== name)) continue;
      const value = raw[index + 1] ?? "";
      if (found === undefined) found = value;
      else if (typeof found === "string") found = [found, value];
      else found.push(value);
    }
    return found;
  }

  async body(maxBytes: number): Promise<BodyStart> {
    const { lines } = this;
    const open = this.#openBody;
    // One that is said to be empty is not looked for: to see its end could be to take it from the application.
    if (open === undefined || !hasBody(lines)) return { bytes: new Uint8Array(0), complete: true };
    return ArrivingBody.of(open()).peek(maxBytes);
  }

  get peer(): PeerIdentity | undefined {
    return this.#connection?.peer;
  }

  get sni(): string {
    return this.#connection?.serverName ?? "";
  }

  get remoteAddress(): string | undefined {
    return this.#ofSocket("remoteAddress");
  }

  get localAddress(): string | undefined {
    return this.#ofSocket("localAddress");
  }

  get localPort(): number | undefined {
    return this.#ofSocket("localPort");
  }

  /** That of a session of HTTP/2 throws once the session is over, which may be while somebody is asked. */
  #ofSocket<Name extends "remoteAddress" | "localAddress" | "localPort">(name: Name): Socket[Name] | undefined {
    try {
      return this.#socket?.[name];
    } catch {
      return undefined;
    }
  }
}

/** What few of those who judge a request ask for. */
export interface ArrivalParts {
  readonly context?: InboundContext | undefined;
  /** @returns the stream of its body, which its caller has been told to send; absent: it has none */
  readonly openBody?: (() => Readable) | undefined;
}

const NOTHING_MORE: ArrivalParts = {};

interface ArrivedHead {
  readonly method: string;
  readonly target: string;
  readonly authority: string;
  readonly manyHosts: boolean;
}

/** HTTP/2 frames bodies itself. */
function hasBody(lines: readonly string[]): boolean {
  const isStream = lines.some((name, index) => index % 2 === 0 && name.startsWith(":"));
  const length = lines.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === "content-length");
  if (length >= 0) return Number(lines[length + 1]) !== 0;
  return isStream || countLines(lines, "transfer-encoding") > 0;
}

function countLines(rawHeaders: readonly string[], name: string): number {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const written = rawHeaders[index]!; // flat pairs
    if (written.length === name.length && (written === name || written.toLowerCase() === name)) count += 1;
  }
  return count;
}

function text(value: string | readonly string[] | undefined): string {
  return typeof value === "string" ? value : "";
}
