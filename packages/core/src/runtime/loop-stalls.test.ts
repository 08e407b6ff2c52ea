import { describe, expect, it } from "vitest";
import { FakeClock } from "./fake-clock.js";
import { LoopStalls } from "./loop-stalls.js";

function setup() {
  const clock = new FakeClock();
  const work = { underWay: true };
  const stalls = new LoopStalls(clock, () => work.underWay);
  stalls.watch(clock.now());
  clock.advance(1_000);
  return { clock, stalls, work };
}

describe("LoopStalls", () => {
  it("sees nothing in a loop that turns", () => {
    const { clock, stalls } = setup();
    expect([stalls.stalledMs(0, clock.now()), stalls.spoilt(0, clock.now())]).toEqual([0, false]);
  });

  it("counts a stall once it is over, and while it ends, before any timer ran", () => {
    const { clock, stalls } = setup();
    clock.stall(300);
    expect(stalls.stalledMs(1_000, clock.now())).toBe(280); // of the first 20 ms nobody knows
    clock.advance(10);
    expect(stalls.stalledMs(1_000, clock.now())).toBe(280);
    clock.advance(1_000);
    expect([stalls.stalledMs(1_000, clock.now()), stalls.stalledMs(1_300, clock.now())]).toEqual([280, 0]);
  });

  it("adds several up, and only what is within the time asked for", () => {
    const { clock, stalls } = setup();
    for (let n = 0; n < 3; n++) {
      clock.stall(120);
      clock.advance(80);
    }
    expect(stalls.stalledMs(1_000, clock.now())).toBe(300);
    expect(stalls.stalledMs(1_070, clock.now())).toBe(250);
  });

  it.each([
    ["a quarter of a short wait", 200, 70, true],
    ["less than that", 200, 55, false],
    ["a tenth of a second of a longer one", 1_000, 121, true],
    ["less than that, too", 1_000, 110, false],
    ["a twentieth of a long one", 30_000, 1_521, true],
    ["a tenth of a second of that", 30_000, 121, false],
  ])("says whether a wait is spoilt by %s", (_, waitMs, stallMs, spoilt) => {
    const { clock, stalls } = setup();
    clock.stall(stallMs);
    clock.advance(waitMs - stallMs);
    expect(stalls.spoilt(1_000, clock.now())).toBe(spoilt);
  });

  it("stops two seconds after the last that is under way, and says nothing of the time before it is watched again", () => {
    const { clock, stalls, work } = setup();
    clock.advance(67_000);
    expect(clock.pending).toBe(1);
    work.underWay = false;
    clock.advance(2_000);
    expect(clock.pending).toBe(0);
    clock.stall(5_000);
    stalls.watch(clock.now());
    expect(stalls.stalledMs(70_000, clock.now())).toBe(0);
    clock.stall(100);
    clock.advance(1);
    expect(stalls.stalledMs(70_000, clock.now())).toBe(80);
  });
});
