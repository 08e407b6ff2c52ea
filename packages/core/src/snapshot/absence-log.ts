/**
 * What the log says while the registry is away: once when it is lost, then at growing intervals, and once when it is back.
 * A registry that comes and goes is reported no more often than one that stays away.
 */

import type { Clock, Timer } from "../runtime/clock.js";
import type { SourceStatus } from "./source.js";

export interface AbsenceLogOptions {
  readonly clock: Clock;
  readonly status: () => SourceStatus;
  /** As it may be shown. */
  readonly registry: () => string;
  /** What is in force meanwhile, as a sentence without its end. */
  readonly meanwhile: () => string;
  readonly warn: (message: string) => void;
  readonly info: (message: string) => void;
  /**
   * Nobody in between could be silent, as with a folder: what is late at the start is this process, on a machine that is
   * out of breath. @default false
   */
  readonly direct?: boolean;
}

const LOOK_MS = 1_000;
/** Between the first line and the second; doubled from line to line. In ms. */
const FIRST_MS = 60_000;
const LONGEST_MS = 3_600_000;
/** In ms: a registry that was there for so long is lost anew. */
const CALM_MS = 600_000;
/** In ms: a registry that has said nothing for so long since the start is away, whatever it is that holds it up. */
const SILENT_MS = 5_000;
/** In ms: a server that has not heard of its leader for so long answers for nobody but itself. */
const BEHIND_MS = 10_000;

export class AbsenceLog {
  readonly #options: AbsenceLogOptions;
  readonly #timer: Timer;
  /** Clock ms; undefined while it is there. */
  #awaySince: number | undefined;
  /** Of the present absence. */
  #said = false;
  #saidAt = -Infinity;
  #intervalMs = 0;
  #thereSince = -Infinity;

  constructor(options: AbsenceLogOptions) {
    this.#options = options;
    this.#timer = options.clock.every(LOOK_MS, () => this.#look());
  }

  close(): void {
    this.#timer.cancel();
  }

  #look(): void {
    const { clock, status: read, registry, warn, info } = this.#options;
    const now = clock.now();
    const status = read();
    const { state, since, lagMs = 0 } = status;
    const starting = state === "connecting" && this.#options.direct === true;
    if (starting || !isAway(status, now - since)) {
      if (this.#awaySince === undefined) return;
      if (this.#said) info(`the registry ${registry()} is back after ${durationText(now - this.#awaySince)}`);
      this.#awaySince = undefined;
      this.#said = false;
      this.#thereSince = now;
      return;
    }
    if (this.#awaySince === undefined && now - this.#thereSince >= CALM_MS) this.#intervalMs = 0;
    this.#awaySince ??= lagMs >= BEHIND_MS && state === "fresh" ? now - lagMs : since;
    if (now - this.#saidAt < this.#intervalMs) return;
    this.#said = true;
    this.#saidAt = now;
    this.#intervalMs = this.#intervalMs === 0 ? FIRST_MS : Math.min(this.#intervalMs * 2, LONGEST_MS);
    warn(`${absenceText(status, registry(), now - this.#awaySince)}. ${this.#options.meanwhile()}`);
  }
}

/** Whether what the registry says is to be taken for the latest there is. */
export function isAway({ state, lagMs = 0 }: Pick<SourceStatus, "state" | "lagMs">, sinceMs: number): boolean {
  return state === "stale" || lagMs >= BEHIND_MS || (state === "connecting" && sinceMs >= SILENT_MS);
}

/** Of one that is away. */
export function absenceText(
  { state, reason, lagMs = 0 }: Pick<SourceStatus, "state" | "reason" | "lagMs">,
  registry: string,
  forMs: number,
): string {
  if (state === "connecting") return `the registry ${registry} has not answered for ${durationText(forMs)}`;
  if (state === "fresh")
    return `the registry ${registry} is behind: the server that answers has not heard of its leader for ${durationText(lagMs)}`;
  const why = reason === undefined ? "" : `: ${reason.replace(/\.$/, "")}`;
  return `the registry ${registry} is away for ${durationText(forMs)}${why}`;
}

/** `3 s`, `5 min`, `2 h`, `4 days`: as exactly as a person wants to know. */
export function durationText(ms: number): string {
  if (ms < 120_000) return `${Math.max(1, Math.round(ms / 1_000))} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return ms < 172_800_000 ? `${Math.round(ms / 3_600_000)} h` : `${Math.round(ms / 86_400_000)} days`;
}
