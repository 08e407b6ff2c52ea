/** Headers as set on a ClientRequest, brought to what undici takes: it frames bodies and manages connections itself. */

import type { OutgoingMessage } from "node:http";
import type { RawHeaders } from "../client/handler.js";
import { decodeHeaders } from "../client/raw-headers.js";
import type { NodeOptions } from "./request-target.js";

/** Only there for its header methods. All of Node has the last one, the types know it of ClientRequest alone. */
export type HeaderStore = OutgoingMessage & { getRawHeaderNames(): string[] };

export interface WireHeaders {
  /** Flat `[name, value, …]`. */
  readonly headers: string[];
  /** Protocol to change to, when `Connection: upgrade` asks for it. */
  readonly upgrade: string | null;
  readonly expectsContinue: boolean;
}

/** What a new ClientRequest has before its caller sets anything: the options' headers, a host, credentials of the URL. */
export function fillHeaders(store: HeaderStore, { headers, auth, setHost }: NodeOptions, authority: string): void {
  if (Array.isArray(headers)) {
    const pairs: [string, string][] = Array.isArray(headers[0])
      ? (headers as unknown as [string, string][])
      : Array.from({ length: headers.length / 2 }, (_, index) => [headers[2 * index]!, headers[2 * index + 1]!]); // even
    for (const [name, value] of pairs) store.appendHeader(name, value);
  } else if (headers) {
    for (const [name, value] of Object.entries(headers)) {
      if (value !== undefined) store.setHeader(name, value as string);
    }
  }
  if (setHost !== false && !store.hasHeader("host")) store.setHeader("Host", authority);
  if (auth && !store.hasHeader("authorization")) {
    store.setHeader("Authorization", `Basic ${Buffer.from(auth).toString("base64")}`);
  }
}

/** Decided by undici, which refuses them. */
const FRAMING = new Set(["transfer-encoding", "keep-alive", "upgrade", "expect"]);

export function wireHeaders(store: HeaderStore): WireHeaders {
  const headers: string[] = [];
  const upgrades = /\bupgrade\b/i.test(String(store.getHeader("connection") ?? ""));
  for (const name of store.getRawHeaderNames()) {
    const key = name.toLowerCase();
    if (FRAMING.has(key) || (upgrades && key === "connection")) continue;
    const value = store.getHeader(name);
    for (const line of Array.isArray(value) ? value : [value]) headers.push(name, String(line));
  }
  const upgrade = store.getHeader("upgrade");
  return {
    headers,
    upgrade: upgrades && upgrade !== undefined ? String(upgrade) : null,
    expectsContinue: /^100-continue$/i.test(String(store.getHeader("expect") ?? "")),
  };
}

/** Whether Node would keep the caller's connection: its agent must be one that uses it again. @param agent in effect */
export function keepsAlive({ agent, createConnection }: NodeOptions, inEffect: unknown): boolean {
  if (agent === false) return false;
  if (!agent && typeof createConnection === "function") return false;
  const { keepAlive, maxSockets } = inEffect as { keepAlive?: unknown; maxSockets?: unknown };
  return Boolean(keepAlive) || Number.isFinite(maxSockets);
}

/** What an answer says of its connection, which is the mesh's, as the caller would hear it of one that it does not keep. */
export function withoutKeepAlive(headers: RawHeaders): RawHeaders {
  const lines = decodeHeaders(headers);
  const kept: string[] = [];
  for (let index = 0; index < lines.length; index += 2) {
    const name = lines[index]!; // flat pairs: both indices are in range
    const value = lines[index + 1]!;
    const key = name.toLowerCase();
    if (key === "keep-alive") continue;
    kept.push(name, key === "connection" && value.toLowerCase() === "keep-alive" ? "close" : value);
  }
  return kept;
}
