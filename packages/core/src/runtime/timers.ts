/**
 * The process's own timers, as they were when this was loaded. A test that fakes time replaces the global ones later: the
 * application's clock stands still then, and the network goes on, as it does without a mesh.
 */

import timers from "node:timers"; // by its object: names imported of it follow whoever synchronises a module's exports

export const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate } = timers;
export const { now: wallTime } = Date;

/** For a library that looks its timers up when it needs them: `setImmediate` is the process's own while `work` runs. */
export function withOwnImmediates<Result>(work: () => Result): Result {
  const { setImmediate: faked } = globalThis;
  globalThis.setImmediate = setImmediate;
  try {
    return work();
  } finally {
    globalThis.setImmediate = faked;
  }
}
