/** How often policy would have done what, by the host that was called: plain numbers, read at scrape time. */

import { isEdited, isRerouted, type Would } from "./would.js";

/** GET /stats: one entry per host. A reader subtracts two readings. */
export interface WouldReading {
  /** Service called, or the host where no service stands behind it. */
  readonly host: string;
  /** Calls looked at. */
  readonly calls: number;
  /** Calls with which policy would have done anything of what follows. */
  readonly changed: number;
  readonly aborted: number;
  readonly delayed: number;
  /** Redirects, direct responses, preflights. */
  readonly answered: number;
  /** Host unknown under REGISTRY_ONLY; no rule, destination or endpoint. */
  readonly refused: number;
  /** Sent to a subset, or to another service or port. */
  readonly rerouted: number;
  /** Header, path or authority changed. */
  readonly edited: number;
  /** At least one copy sent. Absent from older processes. */
  readonly mirrored?: number;
  readonly retried: number;
  readonly timedOut: number;
}

type Counters = { -readonly [Field in Exclude<keyof WouldReading, "host">]-?: number };

/** Hosts may come from users' input: beyond this they share one entry (pitfalls B8). */
const MOST = 256;
const OTHERS = "*";

export class WouldStats {
  readonly #byHost = new Map<string, Counters>();

  record(host: string, would: Would): void {
    const { intent, timedOut, retried } = would;
    const { outcome } = intent;
    const answered = outcome === "redirect" || outcome === "directResponse" || outcome === "preflight";
    const facts = {
      aborted: outcome === "aborted",
      delayed: intent.delayMs > 0,
      answered,
      refused: !answered && outcome !== "sent" && outcome !== "aborted",
      rerouted: outcome === "sent" && isRerouted(intent),
      edited: isEdited(intent),
      mirrored: intent.mirrors.length > 0,
      retried,
      timedOut,
    };
    const counters = this.#of(host);
    counters.calls += 1;
    let changed = false;
    for (const name of Object.keys(facts) as (keyof typeof facts)[]) {
      if (!facts[name]) continue;
      counters[name] += 1;
      changed = true;
    }
    if (changed) counters.changed += 1;
  }

  read(): readonly WouldReading[] {
    return [...this.#byHost].map(([host, counters]) => ({ host, ...counters }));
  }

  #of(host: string): Counters {
    const known = this.#byHost.get(host);
    if (known !== undefined) return known;
    const key = this.#byHost.size < MOST ? host : OTHERS;
    const made = this.#byHost.get(key) ?? {
      ...{ calls: 0, changed: 0, aborted: 0, delayed: 0, answered: 0, refused: 0 },
      ...{ rerouted: 0, edited: 0, mirrored: 0, retried: 0, timedOut: 0 },
    };
    this.#byHost.set(key, made);
    return made;
  }
}
