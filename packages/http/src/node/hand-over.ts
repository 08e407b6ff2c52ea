/** A request that was begun as a call and is none: Node's own takes its place, behind the one the caller already has. */

import type { ClientRequest } from "node:http";
import type { Readable } from "node:stream";
import type { HeaderStore } from "./wire-headers.js";

const FORWARDED_EVENTS = ["response", "information", "continue", "upgrade", "connect", "timeout", "socket"] as const;

export interface HandOverOptions {
  readonly given: ClientRequest;
  readonly real: ClientRequest;
  readonly store: HeaderStore;
  readonly body: Readable | Buffer | null;
  /** As set on the one that is given; 0 for none. */
  readonly timeoutMs: number;
}

export function handOver({ given, real, store, body, timeoutMs }: HandOverOptions): ClientRequest {
  for (const name of real.getHeaderNames()) if (!store.hasHeader(name)) real.removeHeader(name);
  for (const name of store.getRawHeaderNames()) real.setHeader(name, store.getHeader(name)!); // of the list itself
  if (timeoutMs > 0) real.setTimeout(timeoutMs);
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
