import { describe, expect, it } from "vitest";
import { FakeClock } from "./fake-clock.js";
import { seededRandom } from "./random.js";

describe("FakeClock", () => {
  it("fires by time, then by creation, at the time each asked for", () => {
    const clock = new FakeClock();
    const random = seededRandom(4);
    const fired: [at: number, order: number][] = [];
    const expected: [at: number, order: number][] = [];
    for (let order = 0; order < 500; order++) {
      const at = random.int(50);
      const timer = clock.after(at, () => fired.push([clock.now(), order]));
      if (random.next() < 0.3) timer.cancel();
      else expected.push([at, order]);
    }
    expect(clock.pending).toBe(expected.length);
    clock.advance(25);
    clock.advance(100);
    expect(fired).toEqual(expected.sort(([a, x], [b, y]) => a - b || x - y));
    expect([clock.pending, clock.now()]).toEqual([0, 125]);
  });

  it("fires what a timer arms within the same advance, and repeats until cancelled", () => {
    const clock = new FakeClock();
    const fired: string[] = [];
    const every = clock.every(10, () => fired.push(`every ${clock.now()}`));
    clock.after(5, () => clock.after(7, () => fired.push(`inner ${clock.now()}`)));
    clock.after(35, () => every.cancel());
    clock.advance(100);
    expect(fired).toEqual(["every 10", "inner 12", "every 20", "every 30"]);
    expect(clock.pending).toBe(0);
  });

  it("counts a timer cancelled twice, or after it fired, once", () => {
    const clock = new FakeClock();
    const timer = clock.after(1, () => {});
    clock.after(2, () => {});
    timer.cancel();
    timer.cancel();
    expect(clock.pending).toBe(1);
    clock.advance(5);
    timer.cancel();
    expect(clock.pending).toBe(0);
  });

  it("makes up for no turn that a stall has swallowed", () => {
    const clock = new FakeClock();
    const fired: number[] = [];
    clock.every(10, () => fired.push(clock.now()));
    clock.stall(55);
    expect(fired).toEqual([]);
    clock.advance(10);
    expect(fired).toEqual([55, 65]);
  });

  it("steps from timer to timer, says when the next one is due, and how many are awaited", () => {
    const clock = new FakeClock();
    const fired: string[] = [];
    clock.after(5, () => fired.push("after"));
    const hold = clock.hold(5, () => fired.push("hold"));
    clock.hold(9, () => fired.push("late"));
    hold.cancel();
    expect([clock.nextAt, clock.pending, clock.held]).toEqual([5, 2, 1]);
    clock.step();
    expect([clock.now(), fired]).toEqual([5, ["after"]]);
    clock.step();
    clock.step();
    expect([clock.now(), clock.nextAt, clock.held, fired]).toEqual([9, Number.POSITIVE_INFINITY, 0, ["after", "late"]]);
  });

  it("goes on from a stall inside a timer, never backwards", () => {
    const clock = new FakeClock();
    const fired: number[] = [];
    clock.after(5, () => clock.stall(100));
    clock.after(20, () => fired.push(clock.now()));
    clock.advance(10);
    expect(clock.now()).toBe(105);
    clock.advance(0);
    expect([clock.now(), fired]).toEqual([105, [105]]);
  });
});
