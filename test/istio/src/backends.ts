/** The services of the recording as real servers: each says who it is and what reached it. */

import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Recording, versionsOf } from "./recorded.js";

export interface Seen {
  readonly host: string;
  readonly version: string;
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What clients and servers of HTTP/1.1 say to each other, and the mesh to its own: no part of a recorded request. */
const HOP = new Set(["host", "connection", "content-length", "transfer-encoding"]);

export class Backends {
  readonly #servers: Server[] = [];
  readonly #ports = new Map<string, number>();
  /** Takes what no rule of the mesh is about. */
  outside = 0;
  /** What reached a service since the request was expected; HEAD has no answer that could tell. */
  seen: Seen | undefined;
  #answerHeaders: Readonly<Record<string, string>> = {};

  async start({ services }: Recording): Promise<void> {
    for (const service of services) {
      for (const version of versionsOf(service)) {
        this.#ports.set(`${service.host} ${version}`, await this.#listen(service.host, version));
      }
    }
    this.outside = await this.#listen("outside", "");
  }

  /** Another request is on its way. @param headers of the answer to it */
  expect(headers: Readonly<Record<string, string>> = {}): void {
    this.seen = undefined;
    this.#answerHeaders = headers;
  }

  readonly portOf = (host: string, version: string): number => this.#ports.get(`${host} ${version}`) ?? 0;

  async stop(): Promise<void> {
    for (const server of this.#servers) server.closeAllConnections();
    await Promise.all(this.#servers.map((server) => new Promise((resolve) => server.close(resolve))));
  }

  async #listen(host: string, version: string): Promise<number> {
    const server = createServer((request, response) => {
      this.seen = { host, version, ...readRequest(request) };
      request.resume();
      response.writeHead(200, this.#answerHeaders).end();
    });
    this.#servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return (server.address() as AddressInfo).port;
  }
}

function readRequest({ method = "", url = "", headers, rawHeaders }: IncomingMessage): Omit<Seen, "host" | "version"> {
  const own: Record<string, string> = {};
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const [name, value] = [rawHeaders[index]!.toLowerCase(), rawHeaders[index + 1]!]; // flat pairs
    if (!HOP.has(name) && !isOfMesh(name)) own[name] = own[name] === undefined ? value : `${own[name]},${value}`;
  }
  return { method, path: url, authority: headers.host ?? "", headers: own };
}

export function isOfMesh(name: string): boolean {
  return /^(?:x-inmesh-|x-envoy-|x-request-id$|traceparent$)/.test(name);
}
