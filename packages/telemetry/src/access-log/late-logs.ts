/** A sender of log records that is still being loaded: what is emitted meanwhile waits for it. */

import type { LogRecord, LogSender } from "./otel-sink.js";

/** Records that wait; later ones are lost. */
const MOST_WAITING = 1_000;

export class LateLogs {
  /** Settled or not; undefined where the environment does not say where to send. */
  readonly #opening: Promise<LogSender | undefined>;
  #waiting: LogRecord[] = [];
  #sender: LogSender | undefined;
  #opened = false;

  /** @param onFailure it could not be loaded: with the reason */
  constructor(open: () => Promise<LogSender | undefined>, onFailure: (reason: unknown) => void) {
    this.#opening = open().catch((reason: unknown) => {
      onFailure(reason);
      return undefined;
    });
    void this.#opening.then((sender) => {
      this.#opened = true;
      this.#sender = sender;
      for (const record of this.#waiting) sender?.emit(record);
      this.#waiting = [];
    });
  }

  /** @returns false: nobody takes it */
  emit(record: LogRecord): boolean {
    if (this.#opened) {
      this.#sender?.emit(record);
      return this.#sender !== undefined;
    }
    if (this.#waiting.length >= MOST_WAITING) return false;
    this.#waiting.push(record);
    return true;
  }

  async flush(): Promise<void> {
    await (await this.#opening)?.flush();
  }

  async close(): Promise<void> {
    await (await this.#opening)?.close();
  }
}
