/**
 * SIGTERM under `--import`, and SIGINT where a process manager means the same by it. The process first leaves the
 * registry and waits until its callers know; only then the application's own handlers run, so that whatever they close
 * is no longer called (pitfalls S2). An application without a handler is drained and then ends by the signal, as it would
 * have without us; process.exit is never called.
 */

import { isMainThread } from "node:worker_threads";
import type { DataPlane } from "../plane/data-plane.js";

export interface EndSignals {
  readonly signals: readonly NodeJS.Signals[];
  /** From the signal to the end, in ms. */
  readonly limitMs: number;
}

type Emit = (this: NodeJS.Process, event: string | symbol, ...args: unknown[]) => boolean;

/** @returns undoes it */
export function drainOnSignal(plane: DataPlane, { signals, limitMs }: EndSignals): () => void {
  if (!isMainThread) return () => {}; // signals reach the main thread only
  const target = process as unknown as { emit: Emit };
  const original = target.emit;
  const inherited = !Object.hasOwn(target, "emit");
  let leaving: AbortController | undefined;

  // Node asks for a listener before it delivers a signal instead of ending the process.
  const listener = (): void => {};
  const undo = (): void => {
    for (const signal of signals) process.removeListener(signal, listener);
    if (target.emit !== emit) return; // patched over since: ours passes everything on
    if (inherited) delete (target as Partial<typeof target>).emit;
    else target.emit = original;
  };
  const ours = (event: string | symbol): event is NodeJS.Signals =>
    (signals as readonly (string | symbol)[]).includes(event) &&
    process.listeners(event as NodeJS.Signals).includes(listener);

  const emit: Emit = function (event, ...args) {
    if (!ours(event)) return original.call(this, event, ...args);
    if (leaving !== undefined) {
      leaving.abort(); // the second signal is in a hurry
      return true;
    }
    leaving = new AbortController();
    const { signal } = leaving;
    const alone = process.listenerCount(event) === 1;
    const work = alone ? plane.drain(limitMs).then(() => plane.close()) : plane.leave(signal, limitMs);
    void Promise.race([work, aborted(signal)]).then(() => {
      // Gone before the others look around: some end the process only when nobody else listens.
      undo();
      if (process.listenerCount(event) > 0) original.call(process, event, ...args);
      else process.kill(process.pid, event);
    });
    return true;
  };

  target.emit = emit;
  for (const signal of signals) {
    // Node hands a signal to the `emit` of the moment when its first listener came: those that are there come again.
    const before = process.rawListeners(signal) as NodeJS.SignalsListener[];
    process.removeAllListeners(signal);
    process.on(signal, listener);
    for (const each of before) process.on(signal, each);
  }
  return undo;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
