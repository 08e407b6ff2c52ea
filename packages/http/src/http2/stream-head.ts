/** Heads of HTTP/2 as node:http2 has them, and as the mesh has them: flat `[name, value, …]`. */

import { validateHeaderName, validateHeaderValue } from "node:http";
import {
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
  type OutgoingHttpHeaders,
  sensitiveHeaders,
} from "node:http2";
import type { RawHeaders } from "../client/handler.js";
import { decodeHeaders } from "../client/raw-headers.js";

export interface RequestHead {
  readonly method: string;
  readonly path: string;
  /** Undefined: the session's. */
  readonly authority: string | undefined;
  readonly lines: string[];
}

export type ResponseHead = IncomingHttpHeaders & IncomingHttpStatusHeader;

const PSEUDO = 58; // a colon
/** Node keeps the first of them. */
const ONCE = new Set([
  "content-type",
  "content-length",
  "user-agent",
  "host",
  "authorization",
  "etag",
  "location",
  "age",
]);

/** @param headers in the forms that `request` of a session takes @throws {TypeError} Node's, for what is no header */
export function readRequestHead(headers: OutgoingHttpHeaders | readonly string[] | undefined): RequestHead {
  const pseudo: Record<string, string> = {};
  const lines: string[] = [];
  for (const [given, value] of pairsOf(headers)) {
    if (value === undefined || value === null) continue;
    const name = given.toLowerCase();
    if (name.charCodeAt(0) === PSEUDO) {
      pseudo[name] = String(value);
      continue;
    }
    validateHeaderName(name);
    for (const each of Array.isArray(value) ? value : [value]) {
      validateHeaderValue(name, String(each));
      lines.push(name, String(each));
    }
  }
  const at = lines.indexOf("host");
  const host = at >= 0 && at % 2 === 0 ? lines.splice(at, 2)[1] : undefined;
  return {
    method: pseudo[":method"] ?? "GET",
    path: pseudo[":path"] ?? "/",
    authority: pseudo[":authority"] ?? host,
    lines,
  };
}

/** @param status undefined for trailers */
export function toHeaders(raw: RawHeaders, status?: number): ResponseHead {
  const lines = decodeHeaders(raw);
  const headers: Record<string | symbol, unknown> = Object.create(null);
  if (status !== undefined) headers[":status"] = status;
  for (let index = 0; index < lines.length; index += 2) {
    const name = lines[index]!.toLowerCase(); // flat pairs
    const value = lines[index + 1]!;
    const known = headers[name];
    if (name === "set-cookie") headers[name] = [...((known as string[] | undefined) ?? []), value];
    else if (known === undefined) headers[name] = value;
    else if (!ONCE.has(name)) headers[name] = `${String(known)}${name === "cookie" ? "; " : ", "}${value}`;
  }
  headers[sensitiveHeaders] = [];
  return headers as ResponseHead;
}

function pairsOf(headers: OutgoingHttpHeaders | readonly string[] | undefined): [string, unknown][] {
  if (!Array.isArray(headers)) return Object.entries(headers ?? {});
  return headers.flatMap((name, index): [string, unknown][] => (index % 2 === 0 ? [[name, headers[index + 1]]] : []));
}
