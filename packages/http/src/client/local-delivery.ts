/** Gives an answer made here to a caller that may pause, as undici's parser would. */

import type { HttpExchange } from "./exchange.js";

export class LocalDelivery {
  readonly #exchange: HttpExchange;
  readonly #headers: Buffer[];
  #body: Buffer | undefined;
  #paused = false;

  constructor(exchange: HttpExchange, headers: Buffer[], body: Buffer | undefined) {
    this.#exchange = exchange;
    this.#headers = headers;
    this.#body = body;
  }

  start(status: number, text: string): void {
    const resume = (): void => {
      if (!this.#paused) return;
      this.#paused = false;
      this.#continue();
    };
    this.#attempt(() => this.#exchange.localHead(status, this.#headers, resume, text));
  }

  #continue(): void {
    const body = this.#body;
    this.#body = undefined;
    if (body === undefined || body.length === 0) this.#exchange.complete([]);
    else this.#attempt(() => this.#exchange.data(body));
  }

  /** A step that says false waits for `resume`. What the caller's handler throws comes back to it as an error. */
  #attempt(step: () => boolean): void {
    try {
      this.#paused = !step();
    } catch (error) {
      this.#exchange.abort(error);
      return;
    }
    if (!this.#paused && !this.#exchange.done) this.#continue();
  }
}
