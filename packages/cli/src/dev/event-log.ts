/** What happened during a session, newest last: for the screen's lower half, or straight to a pipe. */

export type EventKind =
  /** A process: started, ready, gone. */
  | "process"
  /** The policy: applied, switched, refused. */
  | "policy"
  /** A fault injected on purpose. */
  | "fault"
  /** A heading of the script. */
  | "step"
  /** A sentence of the script. */
  | "say"
  /** An answer to a key. */
  | "answer"
  /** A line that a child printed. */
  | "output"
  | "error";

export interface SessionEvent {
  readonly kind: EventKind;
  /** Wall time in ms. */
  readonly at: number;
  /** Who printed it; empty for our own. */
  readonly source: string;
  readonly text: string;
}

/** Kept for the screen; a pipe has had them all. */
const KEPT = 500;

export class EventLog {
  readonly #events: SessionEvent[] = [];
  readonly #listeners: ((event: SessionEvent) => void)[] = [];
  readonly #now: () => number;

  /** @param now wall time in ms */
  constructor(now: () => number) {
    this.#now = now;
  }

  get events(): readonly SessionEvent[] {
    return this.#events;
  }

  /** Each line of the text becomes an event of its own. */
  add(kind: EventKind, text: string, source = ""): void {
    for (const line of text.split("\n")) this.#add(kind, line, source);
  }

  #add(kind: EventKind, text: string, source: string): void {
    const event: SessionEvent = { kind, at: this.#now(), source, text };
    this.#events.push(event);
    if (this.#events.length > KEPT) this.#events.shift();
    for (const listener of this.#listeners) listener(event);
  }

  onEvent(listener: (event: SessionEvent) => void): void {
    this.#listeners.push(listener);
  }
}
