/**
 * Timeouts for calls: adding and removing is a few pointer writes, because nearly every one is removed before it fires
 * (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", SOSP 1987, scheme 6). One system timer waits for the next slot
 * that holds anything: a process with a call now and then is not woken 250 times a second for timeouts of seconds.
 *
 * A node never fires early, and at most one tick late while the system timer is punctual. After a stall the answers that
 * arrived meanwhile are still in the kernel's buffers, because timers run before I/O: whatever is due waits until the loop has
 * read them, so that no peer is blamed for our own pause (pitfalls L10).
 */

import type { Clock, Timer } from "./clock.js";
import { throwLater } from "./throw-later.js";

/** In ms. Policy timeouts are tens of ms and more. */
export const TICK_MS = 4;
/** Power of two: slot by mask. One turn is 4 s; longer waits stay for more turns. */
const SLOTS = 1024;
/** A wait that ends a rounding error before its tick is followed by one that moves the clock on. */
const LEAST_MS = 0.001;

/** Extend it: the object that waits is its own list node, so that arming allocates nothing. */
export abstract class WheelNode {
  wheelPrevious: WheelNode | undefined = undefined;
  wheelNext: WheelNode | undefined = undefined;
  /** Tick whose slot it waits in; -1 while not armed. */
  wheelTick = -1;
  /** Clock ms at which it fires. */
  wheelAt = Number.NaN;
  abstract onTimeout(): void;
}

/** Start and end of a circular list. */
class Head extends WheelNode {
  constructor() {
    super();
    this.wheelPrevious = this;
    this.wheelNext = this;
  }

  onTimeout(): void {}
}

export class TimerWheel {
  readonly #clock: Clock;
  readonly #slots: readonly Head[] = Array.from({ length: SLOTS }, () => new Head());
  /** Nodes of the slot being served; empty between turns. */
  readonly #firing = new Head();
  /** Clock ms of tick 0. Tick n holds what is due after tick n - 1 and not after n. */
  readonly #origin: number;
  /** Every tick up to this one is over: nothing is added to it any more. */
  #served = 0;
  #armed = 0;
  #timer: Timer | undefined;
  /** Tick that the timer waits for; Infinity without one. */
  #dueTick = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#origin = clock.now();
  }

  /** Nodes armed now. */
  get size(): number {
    return this.#armed;
  }

  /** Calls `node.onTimeout()` once when the clock has reached `at`. A node is armed at most once: a later call moves it. */
  add(node: WheelNode, at: number): void {
    if (node.wheelTick >= 0) this.remove(node);
    if (this.#armed === 0 && this.#timer === undefined) {
      this.#served = Math.max(this.#served, Math.floor(this.#ticks())); // none is skipped
    }
    const tick = Math.max(Math.ceil((at - this.#origin) / TICK_MS), this.#served + 1);
    this.#armed += 1;
    node.wheelTick = tick;
    node.wheelAt = at;
    append(this.#slots[tick & (SLOTS - 1)]!, node); // masked into range
    this.#wakeBy(tick);
  }

  /** Safe to call for a node that is not armed, and from inside `onTimeout`. */
  remove(node: WheelNode): void {
    if (node.wheelTick < 0) return;
    node.wheelTick = -1;
    this.#armed -= 1;
    unlink(node);
    // The system timer is left to find the wheel empty: stopping it here would restart it for every request.
  }

  /** For the end: where nothing is armed, no system timer is either. */
  stop(): void {
    if (this.#armed > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#dueTick = Number.POSITIVE_INFINITY;
  }

  #ticks(): number {
    return (this.#clock.now() - this.#origin) / TICK_MS;
  }

  #wakeBy(tick: number): void {
    if (tick >= this.#dueTick) return; // also of Infinity
    this.#timer?.cancel();
    this.#dueTick = tick;
    const delayMs = Math.max(LEAST_MS, this.#origin + tick * TICK_MS - this.#clock.now());
    this.#timer = this.#clock.after(delayMs, this.#wake);
  }

  readonly #wake = (): void => {
    this.#timer = undefined;
    this.#dueTick = Number.POSITIVE_INFINITY;
    const next = this.#nextTick();
    if (next <= this.#ticks()) this.#clock.afterReading(this.#turn);
    else this.#wakeBy(next); // what it was set for is gone, or the timer came early
  };

  readonly #turn = (): void => {
    const now = this.#clock.now();
    const ticks = (now - this.#origin) / TICK_MS;
    const last = Math.ceil(ticks);
    // After a stall longer than one turn of the wheel every slot is visited once, not once per missed tick.
    let tick = Math.max(this.#served + 1, last - SLOTS + 1);
    this.#served = Math.max(this.#served, last); // what a timeout arms waits for the next turn
    for (; tick <= last && this.#armed > 0; tick++) this.#serve(this.#slots[tick & (SLOTS - 1)]!, now); // masked
    this.#served = Math.floor(ticks); // the last slot may hold what is due later within its tick
    this.#wakeBy(this.#nextTick());
  };

  /**
   * The first tick after those that are over whose slot is not empty; what is in it may be due a turn of the wheel later.
   * Infinity for none. By what has been served, and not by the clock: between two looks at that a tick may go by.
   */
  #nextTick(): number {
    if (this.#armed === 0) return Number.POSITIVE_INFINITY;
    for (let tick = this.#served + 1; tick <= this.#served + SLOTS; tick++) {
      const slot = this.#slots[tick & (SLOTS - 1)]!; // masked
      if (slot.wheelNext !== slot) return tick;
    }
    return Number.POSITIVE_INFINITY;
  }

  /**
   * Empties the slot before anything fires. What a timeout adds goes to a slot and is not seen here; what it removes or
   * moves is unlinked from the list being worked off, whose first node is always the next.
   */
  #serve(slot: Head, now: number): void {
    if (slot.wheelNext === slot) return;
    const firing = this.#firing;
    firing.wheelNext = slot.wheelNext;
    firing.wheelPrevious = slot.wheelPrevious;
    firing.wheelNext!.wheelPrevious = firing; // lists are circular
    firing.wheelPrevious!.wheelNext = firing;
    slot.wheelNext = slot;
    slot.wheelPrevious = slot;
    for (let node = firing.wheelNext!; node !== firing; node = firing.wheelNext!) {
      if (node.wheelAt > now) {
        unlink(node); // a later turn's
        append(slot, node);
        continue;
      }
      this.remove(node);
      try {
        node.onTimeout();
      } catch (error) {
        throwLater(this.#clock, error);
      }
    }
  }
}

function append(head: Head, node: WheelNode): void {
  const last = head.wheelPrevious!; // lists are circular
  node.wheelPrevious = last;
  node.wheelNext = head;
  last.wheelNext = node;
  head.wheelPrevious = node;
}

function unlink(node: WheelNode): void {
  node.wheelPrevious!.wheelNext = node.wheelNext; // linked nodes are linked both ways
  node.wheelNext!.wheelPrevious = node.wheelPrevious;
  node.wheelPrevious = undefined;
  node.wheelNext = undefined;
}
