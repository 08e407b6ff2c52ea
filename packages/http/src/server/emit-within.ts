/** Listeners of one emitter, called in a context that is not the one of whatever makes it emit. */

import type { EventEmitter } from "node:events";

/** @param run calls what it is given, in the context, and returns what that returns */
export function emitWithin(emitter: EventEmitter, run: (emit: () => boolean) => boolean): void {
  const { emit: original } = emitter;
  const emit: typeof original = (event, ...args) => run(() => original.call(emitter, event, ...args));
  Object.defineProperty(emitter, "emit", { value: emit, configurable: true, writable: true });
}
