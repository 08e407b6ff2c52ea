/** Calls that wait for a lookup, all told at once when it ended. */

export class Waits {
  readonly #ends = new Set<() => void>();

  /** @param signal of this wait alone, so that its listener goes with it */
  add(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        this.#ends.delete(end);
        resolve();
      };
      this.#ends.add(end);
      signal.addEventListener("abort", end, { once: true });
    });
  }

  end(): void {
    for (const end of [...this.#ends]) end();
  }
}
