/** What everything in a simulation shares: time, the trace, and the list of what should not have happened. */

import type { Timer } from "@inmesh/core";
import { FakeClock } from "@inmesh/core/testing";

/** Something that must never happen, happened. */
export interface Violation {
  /** Name of the invariant: `deadline`, `leases`, … */
  readonly invariant: string;
  /** Simulated ms. */
  readonly at: number;
  readonly message: string;
}

/** Of one invariant in one run; more say nothing new. */
const MOST_VIOLATIONS = 5;

export class World {
  readonly clock = new FakeClock();
  readonly trace: string[] = [];
  readonly violations: Violation[] = [];
  /** When the event loop stood still. Clock ms. */
  readonly stalls: { readonly from: number; readonly to: number }[] = [];
  /** Timers of the simulation itself that are armed. */
  own = 0;

  get now(): number {
    return this.clock.now();
  }

  note(text: string): void {
    this.trace.push(`${this.now.toFixed(3).padStart(10)}  ${text}`);
  }

  violate(invariant: string, message: string): void {
    this.note(`VIOLATION ${invariant}: ${message}`);
    const known = this.violations.filter((violation) => violation.invariant === invariant).length;
    if (known < MOST_VIOLATIONS) this.violations.push({ invariant, at: this.now, message });
  }

  later(ms: number, act: () => void): Timer {
    this.own += 1;
    let armed = true;
    const done = (): void => {
      if (armed) this.own -= 1;
      armed = false;
    };
    const timer = this.clock.after(ms, () => {
      done();
      act();
    });
    return {
      cancel: () => {
        done();
        timer.cancel();
      },
    };
  }

  /** What arrives from the network. After a stall timers run first, then whatever is in the socket's buffers. */
  arrives(ms: number, act: () => void): Timer {
    const due = this.now + ms;
    let timer = this.later(ms, () => {
      if (this.now <= due) return act();
      timer = this.later(0, act);
    });
    return { cancel: () => timer.cancel() };
  }

  /** The event loop stands still. */
  stall(ms: number): void {
    const from = this.now;
    this.clock.stall(ms);
    this.stalls.push({ from, to: this.now });
  }

  /** By when something must have happened that is due at `at`, if the engine looks every `tickMs` and stalls are not its fault. */
  latest(at: number, tickMs: number): number {
    let latest = at + tickMs;
    for (const { from, to } of this.stalls) {
      if (from <= latest && to > at) latest = Math.max(latest, to + tickMs); // in order of time
    }
    return latest;
  }
}
