import { expect, it } from "vitest";
import { FakeClock } from "./fake-clock.js";
import { LoopDelay } from "./loop-delay.js";

function started() {
  const clock = new FakeClock();
  const delay = new LoopDelay(clock);
  delay.start();
  return { clock, delay, read: () => delay.read(clock.now()) };
}

it("is nothing while the loop turns", () => {
  const { clock, read } = started();
  for (let index = 0; index < 50; index++) {
    clock.advance(7);
    expect(read()).toBe(0);
  }
});

it("does not take one long pause for a loop that has too much to do", () => {
  const { clock, read } = started();
  clock.advance(100);
  clock.stall(500);
  expect(read()).toBe(0); // before the ticks of the pause fire
  clock.advance(1);
  expect(read()).toBe(0); // and after
  clock.advance(40);
  expect(read()).toBe(0);
});

it("sees a loop that is late every time, already before its next tick, and sees the end of it at once", () => {
  const { clock, read } = started();
  for (let index = 0; index < 5; index++) {
    clock.stall(120);
    clock.advance(0);
  }
  expect(read()).toBe(100);
  clock.stall(120);
  expect(read()).toBe(100);
  clock.advance(20);
  clock.advance(40);
  expect(read()).toBe(0);
});

it("runs only when it is told to", () => {
  const { clock, delay, read } = started();
  expect([delay.running, clock.pending]).toEqual([true, 1]);
  delay.start();
  expect(clock.pending).toBe(1);
  delay.stop();
  clock.stall(500);
  expect([delay.running, clock.pending, read()]).toEqual([false, 0, 0]);
});
