/** Says once what of policy is refused, for as long as it is. */

import type { PipelineStatus } from "@inmesh/core";
import type { EventLog } from "@inmesh/core/admin";
import type { Log } from "../log.js";

export class RefusedPolicy {
  readonly #events: EventLog;
  readonly #log: Log;
  #said: ReadonlySet<string> = new Set();

  constructor(events: EventLog, log: Log) {
    this.#events = events;
    this.#log = log;
  }

  tell(refused: PipelineStatus["refused"]): void {
    const now = new Set<string>();
    for (const { key, kept, problems } of refused) {
      const message = `${key} is refused${kept ? ", its last good version stays in force" : ""}: ${problems[0]?.message ?? ""}`;
      now.add(message);
      if (this.#said.has(message)) continue;
      this.#events.add("problem", message);
      // Without an earlier version calls go on as if nobody had written anything, which its author does not expect.
      this.#log.scope("config")[kept ? "info" : "warn"](message);
    }
    this.#said = now;
  }
}
