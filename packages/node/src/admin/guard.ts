/**
 * Who may use the admin endpoint. It listens on loopback, yet any web page that the user of this machine opens can send
 * requests there: a Host header that is not ours betrays DNS rebinding, and a header that pages cannot set without
 * being asked by CORS guards everything that changes something.
 */

import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { isLoopback } from "../whereabouts/found-address.js";

export interface Refusal {
  readonly status: number;
  readonly reason: string;
}

/** Sent with every request that changes something. */
export const WRITE_HEADER = "x-inmesh-admin";

const LOOPBACK = /^(?:localhost|127\.0\.0\.1|\[::1\])$/i;

/**
 * @param names hosts accepted besides loopback ones, lower-case: what the user bound the endpoint to
 * @param port 0 for a unix socket, where nobody but this user gets in and every Host will do
 */
export function judgeAccess(
  method: string,
  headers: IncomingHttpHeaders,
  { port, names }: { readonly port: number; readonly names: ReadonlySet<string> },
): Refusal | undefined {
  if (port !== 0 && !isOurHost(headers.host, port, names)) {
    return { status: 403, reason: `host ${JSON.stringify(headers.host ?? "")} is not this endpoint` };
  }
  if (method === "GET" || method === "HEAD") return undefined;
  if (method !== "POST") return { status: 405, reason: `${method} is not used here` };
  return headers[WRITE_HEADER] === "1"
    ? undefined
    : { status: 403, reason: `POST needs the header ${WRITE_HEADER}: 1` };
}

/**
 * Whoever is not on this machine is let in by a token, and not at all without one.
 * @param token of setting `adminToken`
 */
export function judgeStranger(
  {
    socket,
    headers,
  }: {
    readonly socket: { readonly remoteAddress?: string | undefined; readonly localAddress?: string | undefined };
    readonly headers: IncomingHttpHeaders;
  },
  token: string | undefined,
): Refusal | undefined {
  const { remoteAddress = "", localAddress } = socket;
  // From an address of this machine to itself nobody else can speak.
  if (remoteAddress === localAddress || isLoopback(remoteAddress)) return undefined;
  if (token === undefined) {
    return {
      status: 403,
      reason: "from another machine it tells its health only: set INMESH_ADMIN_TOKEN there and here",
    };
  }
  const [, given = ""] = /^Bearer (\S+)$/i.exec(headers.authorization ?? "") ?? [];
  return timingSafeEqual(hash(given), hash(token))
    ? undefined
    : { status: 401, reason: "authorization: Bearer, with the token of INMESH_ADMIN_TOKEN, is missing or wrong" };
}

function hash(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function isOurHost(host: string | undefined, port: number, names: ReadonlySet<string>): boolean {
  const [, name = "", written] = /^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(host ?? "") ?? [];
  return Number(written ?? 80) === port && (LOOPBACK.test(name) || names.has(name.toLowerCase()));
}
