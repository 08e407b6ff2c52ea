/** A request's head in HTTP/2's form: lower-case names, no header that belongs to one connection (RFC 9113 §8.2.2). */

import type { OutgoingHttpHeaders } from "node:http2";
import type { WireAttempt } from "../wire-attempt.js";

/** Of HTTP/1.1's connections, or written by the transport itself. */
const LEFT_OUT = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
  "host",
  "content-length",
  "expect",
]);

export interface RequestHead {
  readonly headers: OutgoingHttpHeaders;
  /** As the caller wrote it; undefined where it did not. */
  readonly contentLength: number | undefined;
}

/** @param scheme of the connection, as servers hold it against that */
export function requestHead({ method, path, authority, headers }: WireAttempt, scheme: "http" | "https"): RequestHead {
  const head: Record<string, string | string[]> = {
    ":method": method,
    ":scheme": scheme,
    ":authority": authority,
    ":path": path,
  };
  let contentLength: number | undefined;
  let ofConnection: Set<string> | undefined;
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index]!.toLowerCase(); // flat pairs
    const value = headers[index + 1]!;
    if (LEFT_OUT.has(name)) {
      if (name === "content-length") contentLength = Number(value);
      if (name === "connection") ofConnection = new Set(value.toLowerCase().split(/[\s,]+/));
      continue;
    }
    if (name === "te" && value.toLowerCase() !== "trailers") continue;
    const known = head[name];
    if (known === undefined) head[name] = value;
    else if (Array.isArray(known)) known.push(value);
    else head[name] = [known, value];
  }
  if (ofConnection !== undefined) for (const name of ofConnection) if (!name.startsWith(":")) delete head[name];
  return { headers: head, contentLength };
}
