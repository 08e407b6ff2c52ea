/** A request that arrived, as policy looks at requests. */

import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import type { MatchRequest } from "@inmesh/model";
import type { RequestHead } from "./request-head.js";

export class ServedHead implements MatchRequest {
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly scheme: string;
  readonly #headers: RequestHead["headers"];

  constructor(method: string, path: string, authority: string, scheme: string, headers: RequestHead["headers"]) {
    this.method = method;
    this.path = path;
    this.authority = authority;
    this.scheme = scheme;
    this.#headers = headers;
  }

  static of({ method = "GET", url = "/", headers, socket }: IncomingMessage): ServedHead {
    const scheme = (socket as Partial<TLSSocket>).encrypted === true ? "https" : "http";
    return new ServedHead(method, pathOf(url), headers.host ?? "", scheme, headers);
  }

  static ofStream({ headers }: RequestHead): ServedHead {
    const authority = text(headers[":authority"]) || text(headers["host"]);
    return new ServedHead(
      text(headers[":method"]),
      text(headers[":path"]),
      authority,
      text(headers[":scheme"]),
      headers,
    );
  }

  header(name: string): string | readonly string[] | undefined {
    return this.#headers[name];
  }
}

/** A caller that takes this server for a proxy writes the whole URL (RFC 9112 §3.2.2). */
function pathOf(target: string): string {
  if (target.startsWith("/") || target === "*") return target;
  const start = target.indexOf("/", target.indexOf("://") + "://".length);
  return start < 0 ? "/" : target.slice(start);
}

function text(value: string | readonly string[] | undefined): string {
  return typeof value === "string" ? value : "";
}
