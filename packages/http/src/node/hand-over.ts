/** A request that was begun as a call and is none: Node's own takes its place, behind the one the caller already has. */

import type { ClientRequest } from "node:http";
import type { Readable } from "node:stream";
import type { HeaderStore } from "./wire-headers.js";

const FORWARDED_EVENTS = ["response", "information", "continue", "upgrade", "connect", "timeout", "socket"] as const;

export function handOver(
  given: ClientRequest & { timeout?: number | undefined },
  real: ClientRequest,
  store: HeaderStore,
  body: Readable | Buffer | null,
): ClientRequest {
  for (const name of real.getHeaderNames()) if (!store.hasHeader(name)) real.removeHeader(name);
  for (const name of store.getRawHeaderNames()) real.setHeader(name, store.getHeader(name)!); // of the list itself
  if (given.timeout !== undefined) real.setTimeout(given.timeout);
  for (const event of FORWARDED_EVENTS) {
    // Without a listener Node drops answers and closes upgraded sockets by itself.
    if (given.listenerCount(event) > 0) real.on(event, (...args: unknown[]) => void given.emit(event, ...args));
  }
  real.on("error", (error) => given.destroy(error));
  real.on("close", () => given.destroy());
  if (body === null || Buffer.isBuffer(body)) real.end(body ?? undefined);
  else body.pipe(real);
  return real;
}
