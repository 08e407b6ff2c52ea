/** What the log says of instances that are held back: a line when it begins, a line when it is over, whatever the number. */

import type { Clock, Timer } from "../runtime/clock.js";
import type { HeldInstances } from "./source.js";

/** Why one is held back no longer. */
export type Fate = "back" | "left" | "replaced" | "refused" | "obeyed" | "unused";

/**
 * @param level `info` when it is over, and where no service lost more than one or two: those were all it had, and mostly left
 * in order
 */
export type OnHeld = (message: string, level: "warn" | "info") => void;

/** So many instances of a service that go at once are worth a warning. */
const MANY = 3;

/** In ms: watches of many services tell their losses one after the other; the log has one line for them. */
const SAY_AFTER_MS = 250;
/** Services named in one line. */
const MOST_NAMES = 3;

const FATES: Readonly<Record<Fate, string>> = {
  back: "came back",
  left: "left in order",
  replaced: "were replaced",
  refused: "refused connections",
  obeyed: "stayed away and are gone",
  unused: "are of services no longer in use",
};

export class HeldNotices {
  readonly #clock: Clock;
  readonly #windowMs: number;
  readonly #say: OnHeld;
  readonly #held: () => readonly HeldInstances[];
  #unsaid = new Set<string>();
  #fates = new Map<Fate, number>();
  #timer: Timer | undefined;

  constructor(clock: Clock, windowMs: number, say: OnHeld, held: () => readonly HeldInstances[]) {
    this.#clock = clock;
    this.#windowMs = windowMs;
    this.#say = say;
    this.#held = held;
  }

  /** @param service `namespace/service` */
  began(service: string): void {
    this.#unsaid.add(service);
    this.#timer ??= this.#clock.after(SAY_AFTER_MS, () => this.#tell());
  }

  ended(fate: Fate): void {
    this.#fates.set(fate, (this.#fates.get(fate) ?? 0) + 1);
  }

  /** To be called after every change. */
  changed(): void {
    if (this.#timer === undefined && this.#held().length === 0) this.#tellEnd();
  }

  close(): void {
    this.#timer?.cancel();
  }

  #tell(): void {
    this.#timer = undefined;
    const held = this.#held().filter(({ namespace, service }) => this.#unsaid.has(`${namespace}/${service}`));
    this.#unsaid = new Set();
    if (held.length > 0) {
      const named = held.slice(0, MOST_NAMES).map(heldText).join(", ");
      const others = held.length - MOST_NAMES;
      const more =
        others <= 0 ? "" : others === 1 ? " and one more service's" : ` and those of ${others} more services`;
      this.#say(
        `the registry lost ${named}${more} at once: they stay in use for ${this.#windowMs / 1_000} s, unless they refuse connections or come back (setting protectionMs)`,
        held.some(({ instances }) => instances.length >= MANY) ? "warn" : "info",
      );
    } else if (this.#held().length === 0) this.#fates = new Map(); // over before it was worth a word
    this.changed();
  }

  #tellEnd(): void {
    if (this.#fates.size === 0) return;
    const parts = [...this.#fates].map(([fate, count]) => `${count} ${FATES[fate]}`);
    this.#fates = new Map();
    this.#say(`no instance is held back against the registry's word any more: ${parts.join(", ")}`, "info");
  }
}

/** `6 of 10 instances of shop/reviews`. */
export function heldText({
  namespace,
  service,
  instances,
  of,
}: Pick<HeldInstances, "namespace" | "service" | "instances" | "of">): string {
  return `${instances.length} of ${of} instances of ${namespace}/${service}`;
}
