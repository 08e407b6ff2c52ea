/**
 * The end of an HTTP/2 connection: GOAWAY names the last request that is served, running ones finish (RFC 9113 §6.8).
 *
 * A first GOAWAY for "soon", as RFC 9113 advises, is out of reach: Node ignores every request after the first it sends,
 * whatever it says. So this must come when nothing is on its way any more; a request that crosses it was not begun, and
 * its caller is told so (pitfalls G7).
 */

import type { Http2Session } from "node:http2";

/** Resolves when the connection is closed. */
export function endSession(session: Http2Session): Promise<void> {
  return new Promise((resolve) => {
    if (session.destroyed) return resolve();
    session.once("close", () => resolve());
    if (!session.closed) session.close();
  });
}
