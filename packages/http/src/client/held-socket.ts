/**
 * What keeps the process alive while a request is on a connection: one timer for all connections.
 *
 * undici unrefs a connection as soon as nothing is on it, and refs it for the next request. Each of the two is a call into
 * Node, and through TLS two: 0.8 us per request there by a profile, where a count costs next to nothing.
 */

import type { Socket } from "node:net";
import { setInterval } from "@inmesh/core/internal";

/** Sockets with a request on them. */
let held = 0;
/** Never fires: a timer takes no more ms. */
const LONGEST_MS = 2 ** 31 - 1;
let holder: NodeJS.Timeout | undefined;

function hold(): void {
  held += 1;
  if (held > 1) return;
  holder ??= setInterval(() => {}, LONGEST_MS);
  holder.ref();
}

function release(): void {
  held -= 1;
  if (held === 0) holder?.unref();
}

/** From now on `ref` and `unref` of a connection that stands count; at first, as every new socket, it holds the process. */
export function heldByCount(socket: Socket): void {
  let holds = true;
  socket.unref();
  hold();
  socket.ref = () => {
    if (!holds) {
      holds = true;
      hold();
    }
    return socket;
  };
  socket.unref = () => {
    if (holds) {
      holds = false;
      release();
    }
    return socket;
  };
  socket.once("close", () => {
    socket.unref();
    socket.ref = () => socket;
  });
}
