/** Headers as set on a ClientRequest, brought to what undici takes: it frames bodies and manages connections itself. */

import type { OutgoingMessage } from "node:http";

/** Only there for its header methods. All of Node has the last one, the types know it of ClientRequest alone. */
export type HeaderStore = OutgoingMessage & { getRawHeaderNames(): string[] };

export interface WireHeaders {
  /** Flat `[name, value, …]`. */
  readonly headers: string[];
  /** Protocol to change to, when `Connection: upgrade` asks for it. */
  readonly upgrade: string | null;
  readonly expectsContinue: boolean;
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
