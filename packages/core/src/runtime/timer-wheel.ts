/**
 * Timeouts for calls: adding and removing is a few pointer writes, because nearly every one is removed before it fires
 * (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", SOSP 1987, scheme 6). One system timer runs while
 * anything is armed. A node never fires early and at most one tick late.
 */

import type { Clock, Timer } from "./clock.js";

/** In ms. Policy timeouts are tens of ms and more. */
const TICK_MS = 4;
/** Power of two: slot by mask. One turn is 4 s; longer waits stay for more turns. */
const SLOTS = 1024;

/** Extend it: the object that waits is its own list node, so that arming allocates nothing. */
export abstract class WheelNode {
  wheelPrevious: WheelNode | undefined = undefined;
  wheelNext: WheelNode | undefined = undefined;
  wheelTick = -1;
  abstract onTimeout(): void;
}

class Head extends WheelNode {
  onTimeout(): void {}
}

export class TimerWheel {
  readonly #clock: Clock;
  readonly #origin: number;
  readonly #slots: Head[] = [];
  /** Every tick up to this one has been served. */
  #served = 0;
  #armed = 0;
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#origin = clock.now();
    for (let slot = 0; slot < SLOTS; slot++) {
      const head = new Head();
      head.wheelPrevious = head;
      head.wheelNext = head;
      this.#slots.push(head);
    }
  }

  /** Nodes armed now. */
  get size(): number {
    return this.#armed;
  }

  /** Calls `node.onTimeout()` once when the clock has reached `at`. A node is armed at most once at a time. */
  add(node: WheelNode, at: number): void {
    if (node.wheelTick >= 0) this.remove(node);
    if (this.#armed === 0) this.#start();
    const tick = Math.max(Math.ceil((at - this.#origin) / TICK_MS), this.#served + 1);
    const head = this.#slots[tick & (SLOTS - 1)]!; // masked into range
    const last = head.wheelPrevious!; // lists are circular
    node.wheelTick = tick;
    node.wheelPrevious = last;
    node.wheelNext = head;
    last.wheelNext = node;
    head.wheelPrevious = node;
    this.#armed += 1;
  }

  /** Safe to call for a node that is not armed. */
  remove(node: WheelNode): void {
    if (node.wheelTick < 0) return;
    node.wheelPrevious!.wheelNext = node.wheelNext; // armed nodes are linked both ways
    node.wheelNext!.wheelPrevious = node.wheelPrevious;
    node.wheelPrevious = undefined;
    node.wheelNext = undefined;
    node.wheelTick = -1;
    this.#armed -= 1;
    // The system timer is left to find the wheel empty: stopping it here would restart it for every request.
  }

  #start(): void {
    if (this.#timer !== undefined) return;
    this.#served = Math.floor((this.#clock.now() - this.#origin) / TICK_MS);
    this.#timer = this.#clock.every(TICK_MS, () => this.#turn());
  }

  #turn(): void {
    const due = Math.floor((this.#clock.now() - this.#origin) / TICK_MS);
    // After a stall longer than one turn every slot is visited once, not once per missed tick.
    const from = Math.max(this.#served + 1, due - SLOTS + 1);
    this.#served = due;
    for (let tick = from; tick <= due && this.#armed > 0; tick++) this.#serve(tick & (SLOTS - 1), due);
    if (this.#armed === 0) {
      this.#timer?.cancel();
      this.#timer = undefined;
    }
  }

  #serve(slot: number, due: number): void {
    const head = this.#slots[slot]!; // masked into range
    let node = head.wheelNext!;
    while (node !== head) {
      const next = node.wheelNext!;
      if (node.wheelTick <= due) {
        this.remove(node);
        node.onTimeout();
        // A timeout may remove its neighbours; start over rather than follow a stale link.
        node = next.wheelTick >= 0 ? next : head.wheelNext!;
      } else node = next;
    }
  }
}
