/**
 * Handshakes of one process, a few at a time. Each costs both ends 1 to 3 ms during which nothing else runs: after a mass
 * change, when every connection is made anew at once, requests on the others would stand still meanwhile, here and there.
 */

import type { Clock } from "@inmesh/core";

/** Under way at once. What waits is done a few ms later, in the order in which it came. */
const MOST = 16;
/** One that takes longer waits for the network or for a peer that says nothing: it keeps nobody busy, and none waiting. In ms. */
const BUSY_MS = 250;

/** Why one came to nothing. */
export type HandshakeFailure = "wrongPeer" | "unverified" | "refused" | "timeout" | "other";

export class Handshakes {
  /** Those that came to their end, and those that did not, by reason. */
  done = 0;
  readonly failed: Record<HandshakeFailure, number> = { wrongPeer: 0, unverified: 0, refused: 0, timeout: 0, other: 0 };
  /** Later ones to the same server may be shortened by a ticket of it. */
  readonly tickets: boolean;
  readonly #clock: Clock;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(clock: Clock, tickets = true) {
    this.#clock = clock;
    this.tickets = tickets;
  }

  /** @param start called when it may begin, perhaps at once, with what to call when it is over */
  begin(start: (over: () => void) => void): void {
    if (this.#running < MOST) this.#start(start);
    else this.#waiting.push(() => this.#start(start));
  }

  #start(start: (over: () => void) => void): void {
    this.#running += 1;
    let held = true;
    const free = (): void => {
      if (!held) return;
      held = false;
      timer.cancel();
      this.#running -= 1;
      this.#waiting.shift()?.();
    };
    const timer = this.#clock.after(BUSY_MS, free);
    start(free);
  }
}
