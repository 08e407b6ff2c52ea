/** What was read of a body that can be read once, for a copy of its request: the chunks themselves, and only if all are there. */

import type { BodyLoss } from "@inmesh/core/admin";

type Told = (loss: BodyLoss | undefined, chunks: readonly unknown[]) => void;

export class BodyCopy {
  #chunks: unknown[] = [];
  #loss: BodyLoss | undefined;
  #over = false;
  #waiting: Told[] = [];

  take(chunk: unknown): void {
    if (!this.#over) this.#chunks.push(chunk);
  }

  /** That was all. */
  end(): void {
    this.#close(undefined);
  }

  lose(loss: BodyLoss): void {
    if (this.#over) return;
    this.#chunks = [];
    this.#close(loss);
  }

  /** @param then told once, at once when it is known already */
  whole(then: Told): void {
    if (this.#over) then(this.#loss, this.#chunks);
    else this.#waiting.push(then);
  }

  #close(loss: BodyLoss | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#loss = loss;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const then of waiting) then(loss, this.#chunks);
  }
}
