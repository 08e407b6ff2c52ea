import { setImmediate as turn } from "node:timers/promises";
import { FakeClock } from "@inmesh/core/testing";
import { expect, it } from "vitest";
import { atMost, succeeded } from "./propagation.js";

const never = new Promise<void>(() => {});

it("waits for work, for its time, or for an abort, and leaves no timer", async () => {
  for (const [work, end] of [
    [Promise.resolve(), () => {}],
    [never, (clock: FakeClock) => clock.advance(500)],
    [never, (_: FakeClock, controller: AbortController) => controller.abort()],
  ] as const) {
    const clock = new FakeClock();
    const controller = new AbortController();
    const waiting = atMost(work, clock, 500, controller.signal);
    end(clock, controller);
    await waiting;
    expect([clock.pending, clock.held]).toEqual([0, 0]);
  }
});

it("waits for nothing when it was aborted before", async () => {
  await atMost(never, new FakeClock(), 500, AbortSignal.abort());
});

/** Waits for a successor while `served` requests come per 250 ms; `registers` after so many ms. @returns when it was over, in ms */
async function waited({
  served = 1,
  registers = Number.POSITIVE_INFINITY,
  abortAt = Number.POSITIVE_INFINITY,
}): Promise<number> {
  const clock = new FakeClock();
  const controller = new AbortController();
  let arrived = 0;
  let over = -1;
  const waiting = succeeded({
    ...{ clock, signal: controller.signal, delayMs: 1_000, leastMs: 600, longestMs: 4_000 },
    arrived: () => arrived,
    others: () => clock.now() >= registers,
  }).then(() => {
    over = clock.now();
  });
  for (let ms = 0; over < 0 && ms < 10_000; ms += 50) {
    if (ms % 250 === 0) arrived += served;
    if (ms >= abortAt) controller.abort();
    await turn();
    clock.advance(50);
    await turn();
  }
  await waiting;
  expect([clock.pending, clock.held]).toEqual([0, 0]);
  return over;
}

it("keeps the lease of a port that others share until they have one, or nobody calls", async () => {
  expect(await waited({ registers: 0 })).toBe(600); // the least
  expect(await waited({ registers: 2_000 })).toBe(2_100); // seen at the end of a slice of 250 ms
  expect(await waited({})).toBe(4_000); // nobody came
  expect(await waited({ served: 0 })).toBe(600); // nobody misses it
  expect(await waited({ abortAt: 1_000 })).toBe(1_000);
});
