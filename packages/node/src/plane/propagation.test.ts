import { FakeClock } from "@inmesh/core/testing";
import { expect, it } from "vitest";
import { atMost } from "./propagation.js";

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
