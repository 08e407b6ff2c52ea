/** A registry that says what its test has it say. */

import type { RegistryView, Source, SourceStatus } from "../snapshot/source.js";

export class ScriptedSource implements Source {
  status: SourceStatus = { state: "connecting", since: 0 };
  closed = false;
  #listener: ((view: RegistryView) => void) | undefined;

  watch(listener: (view: RegistryView) => void): void {
    this.#listener = listener;
  }

  /** A view; what it leaves out is empty. The registry is there. */
  say(view: Partial<RegistryView>): void {
    this.status = { state: "fresh", since: 0 };
    this.#listener?.({ documents: [], leases: [], problems: [], ...view });
  }

  /** The registry is away. */
  lose(reason: string, since = 0): void {
    this.status = { state: "stale", since, reason };
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}
