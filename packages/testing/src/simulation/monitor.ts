/** Passes everything that happens on to every invariant. */

import type { Attempt } from "@inmesh/core";
import { accounting } from "./invariant/accounting.js";
import { answeredOnce } from "./invariant/answered-once.js";
import { attempts } from "./invariant/attempts.js";
import { breaker } from "./invariant/breaker.js";
import { deadlines } from "./invariant/deadlines.js";
import { ejection } from "./invariant/ejection.js";
import type { Invariant, MakeInvariant, Scene } from "./invariant/invariant.js";
import { leases } from "./invariant/leases.js";
import { limits } from "./invariant/limits.js";
import { membership } from "./invariant/membership.js";
import { retryRate } from "./invariant/retry-rate.js";
import { timers } from "./invariant/timers.js";
import type { SimExchange, Word } from "./sim-exchange.js";
import type { TrafficListener } from "./sim-network.js";

/** By name, as violations bear it. */
export const INVARIANTS: Readonly<Record<string, MakeInvariant>> = {
  accounting,
  answeredOnce,
  attempts,
  breaker,
  deadlines,
  ejection,
  leases,
  limits,
  membership,
  retryRate,
  timers,
};

export class Monitor implements TrafficListener {
  #invariants: readonly Invariant[] = [];

  /** Before anything happens; the network needs its listener earlier. */
  watch(scene: Scene): void {
    this.#invariants = Object.values(INVARIANTS).map((make) => make(scene));
  }

  sent(exchange: SimExchange, attempt: Attempt): void {
    for (const each of this.#invariants) each.sent?.(exchange, attempt);
  }

  reported(exchange: SimExchange, attempt: Attempt): void {
    for (const each of this.#invariants) each.reported?.(exchange, attempt);
  }

  freed(attempt: Attempt): void {
    for (const each of this.#invariants) each.freed?.(attempt);
  }

  heard(exchange: SimExchange, word: Word): void {
    for (const each of this.#invariants) each.heard?.(exchange, word);
  }

  breakerChanged(): void {
    for (const each of this.#invariants) each.breakerChanged?.();
  }

  settled(): void {
    for (const each of this.#invariants) each.settled?.();
  }

  drained(): void {
    for (const each of this.#invariants) each.drained?.();
  }

  idle(): void {
    for (const each of this.#invariants) each.idle?.();
  }

  closed(): void {
    for (const each of this.#invariants) each.closed?.();
  }
}
