/**
 * The work of a backend: so many workers, each piece takes its time, and whoever comes waits in a queue without an end, whether
 * or not its caller still waits. That is how most services are, and how an overload stays after what caused it is gone.
 */

import { setTimeout as delay } from "node:timers/promises";

export interface WorkshopOptions {
  /** @default no limit */
  readonly workers?: number;
  /** One piece of work, in ms. @default 3 */
  readonly workMs?: number;
  /** How long a thing that was made is kept, in ms. Absent: nothing is kept. */
  readonly keptMs?: number;
  /** Things that are there from the start, of different ages. */
  readonly keptThings?: number;
  /** The first so many ms of its life, each piece takes `coldFactor` times as long. */
  readonly coldMs?: number;
  readonly coldFactor?: number;
}

export class Workshop {
  workMs: number;
  readonly #options: WorkshopOptions;
  readonly #startedAt = performance.now();
  readonly #queue: (() => void)[] = [];
  readonly #keptUntil = new Map<string, number>();
  #free: number;

  constructor(options: WorkshopOptions) {
    this.#options = options;
    this.workMs = options.workMs ?? 3;
    this.#free = options.workers ?? Number.POSITIVE_INFINITY;
    const { keptMs = 0, keptThings = 0 } = options;
    for (let thing = 0; thing < keptThings; thing++) {
      this.#keptUntil.set(String(thing), this.#startedAt + (keptMs * (thing + 1)) / keptThings);
    }
  }

  forget(): void {
    this.#keptUntil.clear();
  }

  /** @param stillWanted asked when it is made: what nobody waits for any more is not kept */
  async work(thing: string | undefined, stillWanted: () => boolean): Promise<void> {
    const { keptMs } = this.#options;
    if (thing !== undefined && (this.#keptUntil.get(thing) ?? 0) > performance.now()) return;
    if (this.#free === 0) await new Promise<void>((resolve) => this.#queue.push(resolve));
    else this.#free -= 1;
    await delay(this.workMs * this.#factor());
    const next = this.#queue.shift();
    if (next === undefined) this.#free += 1;
    else next();
    if (thing !== undefined && keptMs !== undefined && stillWanted()) {
      this.#keptUntil.set(thing, performance.now() + keptMs);
    }
  }

  #factor(): number {
    const { coldMs = 0, coldFactor = 1 } = this.#options;
    return performance.now() - this.#startedAt < coldMs ? coldFactor : 1;
  }
}
