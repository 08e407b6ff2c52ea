/** The lease of this process: what it says, and that it is written once, brought up to date and removed in order. */

import type { LeaseHandle, LeaseSpec, Registrar } from "@inmesh/core";
import { messageOf } from "@inmesh/core";

/** The part that changes while the process runs. */
export type LeaseFacts = Pick<LeaseSpec, "address" | "ports" | "admin" | "identity">;

export interface LeaseKeeperOptions {
  readonly registrar: Registrar;
  /** The part that does not change. */
  readonly spec: Omit<LeaseSpec, keyof LeaseFacts>;
  /** Told of every step, for the event log. */
  readonly onEvent: (message: string) => void;
  /** Told why the registry refuses the lease: nobody will find this process. */
  readonly onFailure: (message: string) => void;
}

/** `none`: not asked for yet. `failing`: the registry took no step of it, the last time. */
export type LeaseState = "none" | "registered" | "failing" | "left";

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  #facts: LeaseFacts | undefined;
  #handle: LeaseHandle | undefined;
  #left = false;
  #failing = false;
  /** Steps that the registry did not take at all. */
  #refused = 0;
  /** One step after the other: an update must not overtake the registration. */
  #last: Promise<void> = Promise.resolve();

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
  }

  /** It was asked to register, whatever came of it. */
  get registered(): boolean {
    return this.#facts !== undefined;
  }

  get state(): LeaseState {
    if (this.#left) return "left";
    if (this.#failing) return "failing";
    return this.#handle === undefined ? "none" : "registered";
  }

  /** Tries to register, to change or to renew it that failed, so far. */
  get failures(): number {
    return this.#refused + (this.#handle?.failures ?? 0);
  }

  /** Ports others may call now; empty before the registration and after `leave`. */
  get ports(): LeaseSpec["ports"] {
    return this.#left ? [] : (this.#facts?.ports ?? []);
  }

  /** Registers, or changes what the lease says. Resolves when the registry has had one try at it; never rejects. */
  say(facts: LeaseFacts): Promise<void> {
    this.#facts = facts;
    return this.#next(async () => {
      if (this.#left) return;
      const { registrar, spec, onEvent } = this.#options;
      const { admin, ...rest } = this.#facts ?? facts; // the newest, so that a burst of changes is one write
      const said = { ...rest, ...(admin !== undefined && { admin }) };
      if (this.#handle === undefined) this.#handle = await registrar.register({ ...spec, ...said });
      else await this.#handle.update(said);
      onEvent(
        `lease says ${said.address} ${said.ports.map(({ name, number }) => `${name}:${number}`).join(", ") || "no port"}`,
      );
    });
  }

  /** Out of the registry for good: nobody new is sent here. */
  leave(): Promise<void> {
    if (this.#left) return this.#last;
    this.#left = true;
    return this.#next(async () => {
      if (this.#handle === undefined) return;
      await this.#handle.remove();
      this.#options.onEvent("lease removed");
    });
  }

  #next(step: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(step).then(() => {
      this.#failing = false;
    });
    this.#last = this.#last.catch((error: unknown) => {
      this.#failing = true;
      this.#refused += 1;
      this.#options.onFailure(messageOf(error));
    });
    return this.#last;
  }
}
