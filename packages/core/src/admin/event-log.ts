/** What happened to a process: configuration, registry, lease, drain. A ring of fixed size (pitfalls O8). */

import type { Clock } from "../runtime/clock.js";
import type { EventsView } from "./views.js";

export type MeshEvent = EventsView["events"][number];

/** Entries kept; the oldest leave first. */
const MOST = 500;

export class EventLog {
  readonly #clock: Clock;
  readonly #events: MeshEvent[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param kind short and fixed: `config`, `registry`, `lease`, `shedding`, `drain` */
  add(kind: string, message: string): void {
    const event = {
      atMs: this.#clock.now(),
      wallTime: new Date(this.#clock.wallTime()).toISOString(),
      kind,
      message,
    };
    this.#events.push(event);
    if (this.#events.length > MOST) this.#events.shift();
  }

  view(): EventsView {
    return { events: [...this.#events] };
  }
}
