/**
 * Overloads that can stay when what caused them is gone (Bronson et al., "Metastable Failures in Distributed Systems", HotOS '21).
 * Four workers, requests for 60 % of what they can do; then something happens for a while. Without protection the
 * callers' retries keep the queues longer than anybody waits, for ever.
 */

import { setTimeout as delay } from "node:timers/promises";
import type { Load } from "../messages.js";
import { admitting, UNGUARDED } from "../policy.js";
import type { WorkshopOptions } from "../program/workshop.js";
import type { Stage } from "../stage.js";
import { goodput, type Tally } from "../tally.js";
import { alwaysBroken } from "./scenario.js";

export interface MetastableForm {
  /** Watched after the trigger is gone, in s. */
  readonly afterSeconds: number;
  readonly guarded: boolean;
}

export interface Metastable {
  readonly name: string;
  readonly work: WorkshopOptions;
  readonly load: Omit<Load, "name" | "seconds">;
  /** About how long the trigger is there, in ms. */
  readonly lastsMs: number;
  /** Brings the trigger and takes it away again. */
  trigger(stage: Stage): Promise<void>;
}

export interface Recovery {
  readonly name: string;
  readonly tally: Tally;
  /** Shares of what was asked and answered well: before the trigger, while it lasted, and in the last seconds. */
  readonly before: number;
  readonly during: number;
  readonly after: number;
  /** From the trigger's end until goodput is back for good, in ms; undefined: never. */
  readonly backAfterMs: number | undefined;
  /** Goodput of each second, 0–1. */
  readonly seconds: readonly number[];
  readonly broken: readonly string[];
  /** Of these, what may not be on any machine. */
  readonly never: readonly string[];
}

const WORKERS = 4;
/** One in work and two that wait, for each worker: a wait is shorter than anybody's patience. */
const AT_A_TIME = 3 * WORKERS;
const CALM_MS = 1_500;
const TRIGGER_MS = 2_000;
/** Of a process, on a machine with other work. */
const START_MS = 1_000;
/** Back means: of what is asked in each such stretch, so much is answered well. In ms. */
const STRETCH_MS = 1_000;
const BACK_RATIO = 0.95;
const BACK_WITHIN_MS = 10_000;

/** No POSTs: all of it may be repeated, which is the worst case. */
const STORM: Metastable = {
  name: "retry storm: everything ten times as slow for 2 s",
  work: { workers: WORKERS, workMs: 40 },
  load: { perSecond: 60, posts: 0, keyedPosts: 0 },
  lastsMs: TRIGGER_MS,
  async trigger({ backends }) {
    for (const { process } of backends) process.send({ type: "work-ms", ms: 400 });
    await delay(TRIGGER_MS);
    for (const { process } of backends) process.send({ type: "work-ms", ms: 40 });
  },
};

const COLD_CACHES: Metastable = {
  name: "cold caches: all is forgotten at once",
  work: { workers: WORKERS, workMs: 100, keptMs: 6_000, keptThings: 120 },
  load: { perSecond: 60, posts: 0, keyedPosts: 0, things: 120 },
  lastsMs: 0,
  async trigger({ backends }) {
    for (const { process } of backends) process.send({ type: "forget" });
  },
};

const SLOW_RESTART: Metastable = {
  name: "kill -9 of all, slow for 4 s after their start, under backlog",
  work: { workers: WORKERS, workMs: 40 },
  load: { perSecond: 60, posts: 0, keyedPosts: 0 },
  lastsMs: START_MS + 2 * TRIGGER_MS,
  async trigger(stage) {
    const old = stage.backends.splice(0);
    for (const { process } of old) process.signal("SIGKILL");
    const slow = { coldMs: 2 * TRIGGER_MS, coldFactor: 10 };
    stage.backends.push(...(await Promise.all(old.map(({ number }) => stage.startBackend(number, slow)))));
    await delay(2 * TRIGGER_MS);
  },
};

export const METASTABLE: readonly Metastable[] = [STORM, COLD_CACHES, SLOW_RESTART];

export const metastablePolicy = (guarded: boolean): string => (guarded ? admitting(AT_A_TIME) : UNGUARDED);

export async function watchRecovery(
  stage: Stage,
  { name, load, lastsMs, trigger }: Metastable,
  { afterSeconds, guarded }: MetastableForm,
): Promise<Recovery> {
  const caller = await stage.startCaller();
  // The trigger takes as long as it takes; the load goes on until it has been gone for long enough.
  const seconds = (CALM_MS + lastsMs) / 1_000 + afterSeconds;
  const startedAt = performance.now();
  let goneAt = 0;
  const [tally] = await Promise.all([
    stage.run(caller, { name: name.replace(/\W+/g, "-"), seconds, ...load }),
    delay(CALM_MS)
      .then(() => trigger(stage))
      .then(() => {
        goneAt = performance.now() - startedAt;
      }),
  ]);
  const endsAt = seconds * 1_000;
  const backAfterMs = backAfter(tally, goneAt, endsAt);
  const late = backAfterMs === undefined || backAfterMs > BACK_WITHIN_MS;
  const never = alwaysBroken(tally);
  return {
    never,
    name: guarded ? name : `${name}; no protection`,
    tally,
    before: goodput(tally.outcomes, 0, CALM_MS),
    during: goodput(tally.outcomes, CALM_MS, Math.max(goneAt, CALM_MS + STRETCH_MS)),
    after: goodput(tally.outcomes, endsAt - STRETCH_MS, endsAt),
    backAfterMs,
    seconds: Array.from({ length: Math.floor(seconds) }, (_, second) =>
      goodput(tally.outcomes, second * 1_000, (second + 1) * 1_000),
    ),
    broken: [
      ...never,
      ...(guarded && late ? [`goodput is not back at 95 % within 10 s: ${backAfterMs ?? "never"}`] : []),
    ],
  };
}

/** The first stretch after the trigger from which on all of them are good. */
function backAfter({ outcomes }: Tally, goneAt: number, endsAt: number): number | undefined {
  let back: number | undefined;
  for (let from = goneAt; from + STRETCH_MS <= endsAt; from += STRETCH_MS) {
    if (goodput(outcomes, from, from + STRETCH_MS) < BACK_RATIO) back = undefined;
    else back ??= from - goneAt;
  }
  return back;
}
