/** What policy would have done with calls of processes that observe, over an interval. */

import type { StatsView, WouldReading } from "@inmesh/core/admin";

type Counter = Exclude<keyof WouldReading, "host" | "calls" | "changed">;

/** In the order of a call's life, each with the word for it. */
const WORDS: Readonly<Record<Counter, string>> = {
  refused: "refused",
  aborted: "aborted",
  delayed: "delayed",
  answered: "answered",
  rerouted: "sent elsewhere",
  edited: "changed",
  mirrored: "copied",
  retried: "tried again",
  timedOut: "timed out",
};

const COUNTERS = Object.keys(WORDS) as Counter[];

/** By host. A counter that fell belongs to a process that took the place of another: it counts from zero. */
export function addWould(sums: Map<string, WouldReading>, before: StatsView, after: StatsView): void {
  const known = new Map((before.would ?? []).map((reading) => [reading.host, reading]));
  for (const last of after.would ?? []) {
    const first = known.get(last.host);
    const base = first === undefined || first.calls > last.calls ? undefined : first;
    const sum = sums.get(last.host);
    const added = { ...last };
    for (const name of ["calls", "changed", ...COUNTERS] as const) {
      Object.assign(added, { [name]: (last[name] ?? 0) - (base?.[name] ?? 0) + (sum?.[name] ?? 0) });
    }
    if (added.calls > 0) sums.set(last.host, added);
  }
}

/** `30% aborted, 2% tried again`, or `the same`. */
export function wouldText(would: WouldReading): string {
  const words = COUNTERS.flatMap((name) => {
    const share = ((would[name] ?? 0) / would.calls) * 100;
    return share === 0 ? [] : [`${share < 1 ? "<1" : Math.round(share)}% ${WORDS[name]}`];
  });
  return words.length === 0 ? "the same" : words.join(", ");
}
