/**
 * Who is at the far end of the proxies in front. Each proxy that is trusted has written down, at the end of
 * `x-forwarded-for`, who called it; whatever stands before that is what somebody says. Counted from the socket outward
 * (pitfalls T8).
 */

import { isIP } from "node:net";

/**
 * @param forwarded lines of `x-forwarded-for` in order
 * @param peer address of the socket
 * @returns `peer` where nobody is trusted, and where there is no address at that place
 */
export function clientAddress(
  forwarded: string | readonly string[] | undefined,
  peer: string,
  trustedProxies: number,
): string {
  if (trustedProxies <= 0 || forwarded === undefined) return peer;
  const entries = (typeof forwarded === "string" ? forwarded : forwarded.join(",")).split(",");
  const entry = entries.at(-trustedProxies)?.trim() ?? "";
  return addressOf(entry) ?? peer;
}

/** `::ffff:10.0.0.1`, as sockets of both families name the callers of one, is `10.0.0.1`. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return "";
  return address.charCodeAt(0) === 58 && /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(address) ? address.slice(7) : address;
}

/** Without the port that some write beside it. */
function addressOf(entry: string): string | undefined {
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(entry)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(entry)?.[1] ?? entry;
  return isIP(bare) === 0 ? undefined : plainAddress(bare);
}

/** An IPv6 address as sockets take it, of one that a URL or `host:port` has between brackets; any other host as it is. */
export function withoutBrackets(host: string): string {
  return host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
}
