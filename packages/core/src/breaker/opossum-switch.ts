/**
 * opossum's state machine, fed from our own counts (performance.md §4): it decides, we keep time and let probes through.
 *
 * - Its `status` is one of its own whose numbers are ours: no buckets, timers or latency lists of its own.
 * - Opening is decided in its failure path only, so each failure is told by firing an action that fails.
 * - Its wait after opening is a real timer that admits one probe. Ours is the Clock, and the probes are several: whoever was
 *   opened is shut down at once, and after the wait a new one is built half open, which gets one verdict.
 *
 * Loaded when the first breaker counts its first failure: 4 ms that a process without trouble never spends.
 */

import { EventEmitter } from "node:events";
import type CircuitBreaker from "opossum";

export interface SwitchCounts {
  readonly fires: number;
  readonly failures: number;
}

export interface SwitchOptions {
  readonly name: string;
  /** Opens when more than this share of them failed, 0–1. */
  readonly ratio: number;
  /** Not with fewer of them. */
  readonly minimum: number;
  readonly counts: () => SwitchCounts;
  readonly onOpen: () => void;
  readonly onClose: () => void;
}

type Opossum = typeof CircuitBreaker;

/** What it would have as a bucket: read in its failure path, and whole for whoever prints it. */
const NOTHING = {
  failures: 0,
  fallbacks: 0,
  successes: 0,
  rejects: 0,
  fires: 0,
  timeouts: 0,
  cacheHits: 0,
  cacheMisses: 0,
  coalesceCacheHits: 0,
  coalesceCacheMisses: 0,
  semaphoreRejections: 0,
  percentiles: {},
  latencyTimes: [],
  latencyMean: 0,
};

/** The longest that setTimeout takes: its own wait must never end. In ms. */
const NEVER_MS = 2 ** 31 - 1;
const FAILED = new Error("the attempt failed");
/** Given to all of them, so that none turns buckets by an interval of its own. Nobody ever emits on it (pitfalls B7). */
const ROTATION = new EventEmitter().setMaxListeners(0);

let opossum: Opossum | undefined;
let loading: Promise<void> | undefined;

/** Rejects where the library is not there, as in a bundle that left it out. */
export function loadOpossum(): Promise<void> {
  loading ??= import("opossum").then(({ default: loaded }) => {
    opossum = loaded;
  });
  return loading;
}

export class OpossumSwitch {
  readonly #machine: CircuitBreaker<[good: boolean], void>;

  /** @returns undefined before `loadOpossum` has settled */
  static create(options: SwitchOptions, halfOpen = false): OpossumSwitch | undefined {
    return opossum === undefined ? undefined : new OpossumSwitch(opossum, options, halfOpen);
  }

  private constructor(
    made: Opossum,
    { name, ratio, minimum, counts, onOpen, onClose }: SwitchOptions,
    halfOpen: boolean,
  ) {
    this.#machine = new made(act, {
      name,
      timeout: false, // its default is 10 s, and would not even cancel anything (pitfalls B6, B12)
      enableSnapshots: false,
      rollingPercentilesEnabled: false,
      rotateBucketController: ROTATION,
      status: statusOf(made, counts),
      errorThresholdPercentage: ratio * 100,
      volumeThreshold: minimum,
      resetTimeout: NEVER_MS,
      // `closed` is said, too, or it would be closed with a probe pending.
      ...(halfOpen && { state: { closed: false, halfOpen: true } }),
    });
    this.#machine.on("open", onOpen);
    this.#machine.on("close", onClose);
  }

  /** One more failed: it looks at the counts and perhaps opens, a microtask later. Of one half open: it opens. */
  failed(): void {
    this.#machine.fire(false).catch(ignore);
  }

  /** Of one half open: it closes, a microtask later. */
  succeeded(): void {
    this.#machine.fire(true).catch(ignore);
  }

  /** Says nothing from here on, and has no timer. */
  close(): void {
    this.#machine.shutdown();
  }
}

function statusOf({ newStatus }: Opossum, counts: () => SwitchCounts): CircuitBreaker.Status {
  const status = newStatus({
    rollingCountBuckets: 1,
    rollingPercentilesEnabled: false,
    enableSnapshots: false,
    rotateBucketController: ROTATION,
  });
  return Object.defineProperties(status, {
    stats: { get: () => ({ ...NOTHING, ...counts() }) },
    increment: { value: ignore },
  });
}

/** The action that it protects: what the attempt came to. */
function act(good: boolean): Promise<void> {
  return good ? Promise.resolve() : Promise.reject(FAILED);
}

function ignore(): void {}
