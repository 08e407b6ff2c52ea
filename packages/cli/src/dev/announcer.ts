/** Turns what changes among the processes into events: who is ready, who left, who refuses policy. */

import type { EventLog } from "./event-log.js";
import type { Member } from "./mesh-watch.js";

export class Announcer {
  readonly #events: EventLog;
  readonly #config: string;
  readonly #ports = new Map<string, number>();
  readonly #problems = new Map<string, number>();

  constructor(events: EventLog, config: string) {
    this.#events = events;
    this.#config = config;
  }

  look(members: readonly Member[]): void {
    for (const { lease, info } of members) {
      const { name, service, pid, ports, labels } = lease;
      const port = ports[0]?.number ?? 0;
      if (port !== 0 && this.#ports.get(name) !== port) {
        const version = labels["version"] === undefined ? "" : ` ${labels["version"]}`;
        this.#events.add("process", `${service}${version} (pid ${pid}) is ready on port ${port}`);
      }
      this.#ports.set(name, port);
      const problems = info?.problems ?? 0;
      if (problems > 0 && this.#problems.get(name) !== problems) {
        const what = problems === 1 ? "a problem" : `${problems} problems`;
        this.#events.add(
          "error",
          `${service} (pid ${pid}) has ${what} with the policy; see: inmesh analyze ${this.#config}`,
        );
      }
      this.#problems.set(name, problems);
    }
    for (const name of this.#ports.keys()) {
      if (members.some(({ lease }) => lease.name === name)) continue;
      this.#ports.delete(name);
      this.#problems.delete(name);
    }
  }
}
