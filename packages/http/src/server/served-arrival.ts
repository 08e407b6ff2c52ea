/** A request that arrived, as access control looks at it: each line as it came, since joining them can hide one. */

import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Arrival } from "@inmesh/core";
import type { PeerIdentity } from "@inmesh/model";
import type { RequestHead } from "./request-head.js";
import { connectionOf } from "./tls/connection.js";

export class ServedArrival implements Arrival {
  readonly method: string;
  readonly target: string;
  readonly authority: string;
  readonly manyHosts: boolean;
  readonly #rawHeaders: readonly string[];
  readonly #socket: Partial<Socket> | undefined;

  constructor(head: ArrivedHead, rawHeaders: readonly string[], socket: object | undefined) {
    this.method = head.method;
    this.target = head.target;
    this.authority = head.authority;
    this.manyHosts = head.manyHosts;
    this.#rawHeaders = rawHeaders;
    this.#socket = socket;
  }

  static of({ method = "GET", url = "/", headers, rawHeaders, socket }: IncomingMessage): ServedArrival {
    const manyHosts = countLines(rawHeaders, "host") > 1;
    return new ServedArrival({ method, target: url, authority: headers.host ?? "", manyHosts }, rawHeaders, socket);
  }

  /** @param socket of its session */
  static ofStream({ headers, rawHeaders }: RequestHead, socket: object | undefined): ServedArrival {
    const method = text(headers[":method"]);
    const host = text(headers["host"]);
    const authority = text(headers[":authority"]) || host;
    const target = method === "CONNECT" ? authority : text(headers[":path"]);
    // Two names for one host: which of them the application reads nobody knows.
    const manyHosts = (host !== "" && host !== authority) || countLines(rawHeaders, "host") > 1;
    return new ServedArrival({ method, target, authority, manyHosts }, rawHeaders, socket);
  }

  header(name: string): string | readonly string[] | undefined {
    const raw = this.#rawHeaders;
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

  get peer(): PeerIdentity | undefined {
    return connectionOf(this.#socket)?.peer;
  }

  get sni(): string {
    return connectionOf(this.#socket)?.serverName ?? "";
  }

  get remoteAddress(): string | undefined {
    return this.#socket?.remoteAddress;
  }

  get localAddress(): string | undefined {
    return this.#socket?.localAddress;
  }

  get localPort(): number | undefined {
    return this.#socket?.localPort;
  }
}

interface ArrivedHead {
  readonly method: string;
  readonly target: string;
  readonly authority: string;
  readonly manyHosts: boolean;
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
