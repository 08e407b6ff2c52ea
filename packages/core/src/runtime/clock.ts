/** Time as an argument: every mechanism runs on a fake clock in tests. */

import { performance } from "node:perf_hooks"; // the global of that name is a getter, which costs a fifth of each reading
import { clearInterval, clearTimeout, setImmediate, setInterval, setTimeout, wallTime } from "./timers.js";

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Monotonic, in ms with fractions; its zero has no meaning. */
  now(): number;
  /** Wall time in ms since 1970: for logs, certificates and file names only. */
  wallTime(): number;
  /** Calls `fn` once after `ms`. Does not keep the process alive. */
  after(ms: number, fn: () => void): Timer;
  /** As `after`, but keeps the process alive until then: for a wait that somebody awaits. */
  hold(ms: number, fn: () => void): Timer;
  /** Calls `fn` every `ms`. Does not keep the process alive. */
  every(ms: number, fn: () => void): Timer;
  /** Calls `fn` once everything that has arrived by now has been read. Said in a timer, which runs before that. */
  afterReading(fn: () => void): void;
}

/** The real one. All but `hold` are unref'd: a script with nothing left to do exits by itself. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallTime,
  after(ms, fn) {
    const handle = setTimeout(fn, ms);
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
  hold(ms, fn) {
    const handle = setTimeout(fn, ms);
    return { cancel: () => clearTimeout(handle) };
  },
  every(ms, fn) {
    const handle = setInterval(fn, ms);
    handle.unref();
    return { cancel: () => clearInterval(handle) };
  },
  afterReading(fn) {
    setImmediate(fn);
  },
};

/**
 * Resolves after `ms`, or rejects with `signal.reason` as soon as the signal aborts.
 * Its timer is cancelled and its listener removed on every way out. Keeps the process alive meanwhile.
 */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const abort = () => {
      timer.cancel();
      reject(signal!.reason); // only ever called by the signal
    };
    const timer = clock.hold(ms, () => {
      signal?.removeEventListener("abort", abort);
      resolve();
    });
    signal?.addEventListener("abort", abort, { once: true });
  });
}
