/**
 * Timeouts for calls: adding and removing is a few pointer writes, because nearly every one is removed before it fires
 * (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", SOSP 1987, scheme 6). One system timer runs while
 * anything is armed.
 *
 * A node never fires early, and at most one tick late while the system timer is punctual. After a stall the answers that
 * arrived meanwhile are still in the kernel's buffers, because timers run before I/O: the first turn after a stall
 * fires nothing, so that the loop reads them first and no peer is blamed for our own pause (pitfalls L10).
 */

import type { Clock, Timer } from "./clock.js";
import { throwLater } from "./throw-later.js";

/** In ms. Policy timeouts are tens of ms and more. */
export const TICK_MS = 4;
/** Power of two: slot by mask. One turn is 4 s; longer waits stay for more turns. */
const SLOTS = 1024;
/** A turn this many ticks late is a stall: 100 ms. */
const STALL_TICKS = 25;

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
  #stalled = false;
  #timer: Timer | undefined;

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
    if (this.#timer === undefined) this.#start();
    const tick = Math.max(Math.ceil((at - this.#origin) / TICK_MS), this.#served + 1);
    this.#armed += 1;
    node.wheelTick = tick;
    node.wheelAt = at;
    append(this.#slots[tick & (SLOTS - 1)]!, node); // masked into range
  }

  /** Safe to call for a node that is not armed, and from inside `onTimeout`. */
  remove(node: WheelNode): void {
    if (node.wheelTick < 0) return;
    node.wheelTick = -1;
    this.#armed -= 1;
    unlink(node);
    // The system timer is left to find the wheel empty: stopping it here would restart it for every request.
  }

  #start(): void {
    this.#served = Math.floor((this.#clock.now() - this.#origin) / TICK_MS); // nothing is armed, so none is skipped
    this.#stalled = false;
    this.#timer = this.#clock.every(TICK_MS, () => this.#turn());
  }

  #turn(): void {
    const now = this.#clock.now();
    const ticks = (now - this.#origin) / TICK_MS;
    if (ticks - this.#served > STALL_TICKS && !this.#stalled) {
      this.#stalled = true;
      return;
    }
    this.#stalled = false;
    const last = Math.ceil(ticks);
    // After a stall longer than one turn of the wheel every slot is visited once, not once per missed tick.
    let tick = Math.max(this.#served + 1, last - SLOTS + 1);
    this.#served = last; // what a timeout arms waits for the next turn
    for (; tick <= last && this.#armed > 0; tick++) this.#serve(this.#slots[tick & (SLOTS - 1)]!, now); // masked
    this.#served = Math.floor(ticks); // the last slot may hold what is due later within its tick
    if (this.#armed > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
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
