/**
 * SIGTERM under `--import`. The process first leaves the registry and waits until its callers know; only then the
 * application's own handlers run, so that whatever they close is no longer called (pitfalls S2). An application
 * without a handler is drained and then ends by the signal, as it would have without us; process.exit is never called.
 */

import { isMainThread } from "node:worker_threads";
import type { DataPlane } from "../plane/data-plane.js";

const SIGNAL = "SIGTERM";

type Emit = (this: NodeJS.Process, event: string | symbol, ...args: unknown[]) => boolean;

/** @returns undoes it */
export function drainOnTerm(plane: DataPlane): () => void {
  if (!isMainThread) return () => {}; // signals reach the main thread only
  const target = process as unknown as { emit: Emit };
  const original = target.emit;
  const inherited = !Object.hasOwn(target, "emit");
  let leaving: AbortController | undefined;

  // Node asks for a listener before it delivers the signal instead of ending the process.
  const listener = (): void => {};
  const undo = (): void => {
    process.removeListener(SIGNAL, listener);
    if (target.emit !== emit) return; // patched over since: ours passes everything on
    if (inherited) delete (target as Partial<typeof target>).emit;
    else target.emit = original;
  };
  const others = (): number => process.listenerCount(SIGNAL) - (process.listeners(SIGNAL).includes(listener) ? 1 : 0);

  const emit: Emit = function (event, ...args) {
    if (event !== SIGNAL || !process.listeners(SIGNAL).includes(listener)) return original.call(this, event, ...args);
    if (leaving !== undefined) {
      leaving.abort(); // the second signal is in a hurry
      return true;
    }
    leaving = new AbortController();
    const { signal } = leaving;
    const alone = others() === 0;
    void (alone ? finish(plane, signal) : plane.leave(signal)).then(() => {
      // Gone before the others look around: some end the process only when nobody else listens.
      undo();
      if (others() > 0) original.call(process, event, ...args);
      else process.kill(process.pid, SIGNAL);
    });
    return true;
  };

  target.emit = emit;
  // Node hands a signal to the `emit` of the moment when its first listener came: those that are there come again.
  const before = process.rawListeners(SIGNAL) as NodeJS.SignalsListener[];
  process.removeAllListeners(SIGNAL);
  process.on(SIGNAL, listener);
  for (const each of before) process.on(SIGNAL, each);
  return undo;
}

/** Drains; a second signal ends the wait. */
async function finish(plane: DataPlane, signal: AbortSignal): Promise<void> {
  const hurried = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  await Promise.race([plane.drain(plane.settings.drainTimeoutMs).then(() => plane.close()), hurried]);
}
