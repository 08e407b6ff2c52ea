import { describe, expect, it } from "vitest";
import { FakeClock } from "./fake-clock.js";
import { type Random, seededRandom } from "./random.js";
import { TICK_MS, TimerWheel, WheelNode } from "./timer-wheel.js";

class Node extends WheelNode {
  readonly clock: FakeClock;
  readonly then: (() => void) | undefined;
  due = 0;
  readonly fired: number[] = [];

  constructor(clock: FakeClock, then?: () => void) {
    super();
    this.clock = clock;
    this.then = then;
  }

  override onTimeout(): void {
    this.fired.push(this.clock.now());
    this.then?.();
  }
}

function setup() {
  const clock = new FakeClock();
  clock.advance(17.3); // no round number
  const wheel = new TimerWheel(clock);
  const arm = (inMs: number, then?: () => void): Node => {
    const node = new Node(clock, then);
    node.due = clock.now() + inMs;
    wheel.add(node, node.due);
    return node;
  };
  return { clock, wheel, arm };
}

describe("TimerWheel", () => {
  it.each([0, 0.1, 1, 3.9, 4, 4.1, 100, 999.5, 4_095, 4_096, 4_097, 60_000])(
    "fires %s ms never early and at most one tick late, once",
    (ms) => {
      const { clock, wheel, arm } = setup();
      const node = arm(ms);
      for (let step = 0; step < 300; step++) clock.advance(ms / 100 + 0.3);
      expect(node.fired).toHaveLength(1);
      const lateMs = node.fired[0]! - node.due;
      expect(lateMs).toBeGreaterThanOrEqual(0);
      expect(lateMs).toBeLessThanOrEqual(TICK_MS + 1e-6);
      expect(wheel.size).toBe(0);
    },
  );

  it.each([1, 2, 3, 4, 5])("agrees with a naive model over random adds, moves and removals, seed %s", (seed) => {
    const { clock, wheel } = setup();
    const random = seededRandom(seed);
    const nodes = Array.from({ length: 200 }, () => new Node(clock));
    const armed = new Map<Node, number>();
    const check = (): void => {
      for (const [node, due] of armed) {
        const firedAt = node.fired.at(-1);
        if (firedAt === undefined || firedAt < node.due - 1e-9 || node.wheelTick >= 0) {
          if (clock.now() - due > TICK_MS + 1e-6) expect.fail(`${clock.now() - due} ms overdue and still armed`);
        } else armed.delete(node);
      }
      expect(wheel.size).toBe(armed.size);
    };
    for (let step = 0; step < 5_000; step++) {
      const node = nodes[random.int(nodes.length)]!;
      if (random.next() < 0.6) {
        node.fired.length = 0;
        node.due = clock.now() + waitMs(random);
        wheel.add(node, node.due);
        armed.set(node, node.due);
      } else {
        wheel.remove(node);
        armed.delete(node);
      }
      if (random.next() < 0.1) {
        clock.advance(random.next() * 100);
        check();
      }
    }
    clock.advance(30_000);
    check();
    expect(wheel.size).toBe(0);
    for (const node of nodes) for (const at of node.fired) expect(at).toBeGreaterThanOrEqual(node.due - 1e-9);
  });

  it("leaves its system timer to find that nothing is armed, and starts it again", () => {
    const { clock, arm, wheel } = setup();
    wheel.remove(arm(50));
    expect(clock.pending).toBe(1); // stopping it here would start it anew for every request
    clock.advance(50 + TICK_MS);
    expect(clock.pending).toBe(0);
    clock.advance(12_345.6);
    const node = arm(10);
    clock.advance(10 + TICK_MS);
    expect([node.fired.length, clock.pending]).toEqual([1, 0]);
  });

  it("wakes the process once in the time of the shortest timeout, however many calls come and go", () => {
    const { clock, arm, wheel } = setup();
    let wakes = 0;
    const { after } = clock;
    clock.after = (ms, fn) =>
      after.call(clock, ms, () => {
        wakes += 1;
        fn();
      });
    for (let call = 0; call < 1_000; call++) {
      const [whole, attempt] = [arm(3_000), arm(250)];
      clock.advance(2);
      for (const node of [whole, attempt]) wheel.remove(node);
      clock.advance(8);
    }
    expect(wakes).toBeLessThanOrEqual(10_000 / 250 + 1);
    expect(wakes).toBeGreaterThan(0);
  });

  it("fires what becomes due while longer waits are armed, and what is armed while it fires", () => {
    const { clock, arm } = setup();
    const long = arm(60_000);
    const inner: Node[] = [];
    arm(30, () => inner.push(arm(10)));
    const short = arm(20);
    clock.advance(20 + TICK_MS);
    expect([short.fired.length, long.fired.length]).toEqual([1, 0]);
    clock.advance(30);
    expect(inner.map((node) => node.fired.length)).toEqual([1]);
    clock.advance(60_000);
    expect([long.fired.length, clock.pending]).toEqual([1, 0]);
  });

  it("loses no tick when it stops and starts between turns", () => {
    const { clock, arm } = setup();
    for (let round = 0; round < 500; round++) {
      const node = arm(7);
      clock.advance(7 + TICK_MS);
      expect(node.fired).toHaveLength(1);
      clock.advance(round % 5);
    }
  });

  it("survives a timeout that removes its neighbours", () => {
    const { clock, arm, wheel } = setup();
    const nodes: Node[] = [];
    for (let n = 0; n < 10; n++) nodes.push(arm(20, () => nodes.forEach((node) => void wheel.remove(node))));
    clock.advance(30);
    expect(nodes.map((node) => node.fired.length)).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(wheel.size).toBe(0);
  });

  it("survives a timeout that moves its neighbour to another slot, or to the same one a turn later", () => {
    const { clock, arm, wheel } = setup();
    let second!: Node;
    let third!: Node;
    arm(20, () => {
      wheel.add(second, clock.now() + 40);
      wheel.add(third, clock.now() + 4_096);
    });
    second = arm(20);
    third = arm(20);
    const fourth = arm(20);
    clock.advance(30);
    expect([second.fired.length, third.fired.length, fourth.fired.length, wheel.size]).toEqual([0, 0, 1, 2]);
    clock.advance(50);
    expect([second.fired.length, third.fired.length]).toEqual([1, 0]);
    clock.advance(5_000);
    expect([third.fired.length, wheel.size, clock.pending]).toEqual([1, 0, 0]);
  });

  it("fires a node that its own timeout arms again, on a later turn", () => {
    const { clock, wheel } = setup();
    clock.advance(1.7); // turns of the system timer then fall into the middle of ticks
    const node: Node = new Node(clock, () => {
      if (node.fired.length < 5) wheel.add(node, clock.now());
    });
    wheel.add(node, clock.now());
    clock.advance(100);
    expect(node.fired).toHaveLength(5);
    expect(new Set(node.fired).size).toBe(5);
  });

  it("moves a node that is armed twice", () => {
    const { clock, wheel, arm } = setup();
    const node = arm(10);
    wheel.add(node, clock.now() + 100);
    clock.advance(50);
    expect([node.fired.length, wheel.size]).toEqual([0, 1]);
    clock.advance(60);
    expect(node.fired).toHaveLength(1);
  });

  it.each([150, 2_000, 4_096, 20_000])(
    "after a stall of %s ms waits one turn, then fires all that is due",
    (stallMs) => {
      const { clock, arm, wheel } = setup();
      const due = [5, 90, stallMs - 1].map((ms) => arm(ms));
      const later = arm(stallMs + 500);
      clock.stall(stallMs);
      clock.advance(0);
      expect(due.map((node) => node.fired.length)).toEqual([0, 0, 0]); // the loop reads its sockets first
      clock.advance(TICK_MS);
      expect(due.map((node) => node.fired.length)).toEqual([1, 1, 1]);
      expect(later.fired).toHaveLength(0);
      clock.advance(504);
      expect([later.fired.length, wheel.size]).toEqual([1, 0]);
    },
  );

  it.each([2_000, 101])("does not fire what an answer read after a stall of %s ms has disarmed", (stallMs) => {
    const { clock, arm, wheel } = setup();
    const node = arm(100);
    clock.stall(stallMs);
    clock.advance(0); // timers run first
    wheel.remove(node); // then the answer is read
    clock.advance(100);
    expect(node.fired).toHaveLength(0);
  });

  it("fires the neighbours of a timeout that throws, and lets the error surface", () => {
    const { clock, arm } = setup();
    arm(10, () => {
      throw new Error("boom");
    });
    const node = arm(10);
    expect(() => clock.advance(20)).toThrow("boom");
    expect(node.fired).toHaveLength(1);
  });

  it.each([0.01, 0.37, 0.9])(
    "misses nothing where timers come a little early, as Node's do, and %s ms pass between two looks at the clock",
    (ms) => {
      const { clock, wheel } = setup();
      const { now, after } = clock;
      let passed = 0;
      clock.now = () => {
        passed += ms;
        return now.call(clock) + passed;
      };
      clock.after = (delayMs, fn) => after.call(clock, Math.max(1, Math.floor(delayMs)), fn);
      for (let round = 0; round < 1_000; round++) {
        const node = new Node(clock);
        wheel.add(node, clock.now() + 1 + (round % 50) / 7);
        clock.advance(50);
        expect(node.fired).toHaveLength(1);
      }
    },
  );

  it("does not care about wall time", () => {
    const { clock, arm } = setup();
    const node = arm(100);
    clock.jumpWall(-3_600_000);
    clock.advance(50);
    clock.jumpWall(86_400_000);
    expect(node.fired).toHaveLength(0);
    clock.advance(60);
    expect(node.fired).toHaveLength(1);
  });
});

/** Mostly short, some of several turns. */
function waitMs(random: Random): number {
  return random.next() < 0.1 ? random.next() * 20_000 : random.next() * 300;
}
