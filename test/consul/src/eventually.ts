/** Waiting for what comes by itself. Unlike `expect.poll` it works in tests that run at the same time. */

import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";

/** Until `look` gives what `judge` does not throw at; rejects with what it threw last. */
export async function eventually<T>(look: () => T | Promise<T>, judge: (value: T) => void, ms = 15_000): Promise<T> {
  for (const deadline = performance.now() + ms; ; await delay(20)) {
    const late = performance.now() > deadline;
    try {
      const value = await look();
      judge(value);
      return value;
    } catch (error) {
      if (late) throw error;
    }
  }
}

export function equals(expected: unknown): (value: unknown) => void {
  return (value) => expect(value).toEqual(expected);
}
