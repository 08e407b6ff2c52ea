/** Fleets to balance over: servers that take one request after the other, as one event loop does, each at its own pace. */

import type { Random } from "@inmesh/core";

export interface SimulatedServer {
  readonly id: string;
  /** When its queue is empty, in ms of simulated time. */
  freeAt: number;
  /** Waiting or served. */
  inFlight: number;
  served: number;
  /** When it was started. */
  readonly since: number;
  /** Factor on the time of a request at a time. */
  pace(now: number): number;
  /** Answers 503 within a millisecond at a time. */
  fails(now: number): boolean;
}

export interface Fleet {
  readonly name: string;
  /** In words, for the page. */
  readonly what: string;
  readonly size: number;
  make(index: number, random: Random): Pick<SimulatedServer, "pace" | "fails">;
  /** One server is replaced by a new one this often, in ms; 0: never. */
  readonly replaceEveryMs?: number;
}

const never = (): boolean => false;
const even = { pace: () => 1, fails: never };

/** A new process is slower for its first seconds: caches, compiler, connections. */
const COLD_MS = 5_000;
const COLD_PACE = 4;

export const FLEETS: readonly Fleet[] = [
  { name: "even", what: "20 equal servers", size: 20, make: () => even },
  {
    name: "mixed",
    what: "20 servers, every second one half as fast",
    size: 20,
    make: (index) => ({ pace: () => (index % 2 === 0 ? 1 : 2), fails: never }),
  },
  {
    name: "slow",
    what: "20 servers, one ten times as slow from the 10th second on",
    size: 20,
    make: (index) => ({ pace: (now) => (index === 0 && now > 10_000 ? 10 : 1), fails: never }),
  },
  {
    name: "failing",
    what: "20 servers, one answers 503 at once from the 10th second on",
    size: 20,
    make: (index) => ({ pace: () => 1, fails: (now) => index === 0 && now > 10_000 }),
  },
  {
    name: "noisy",
    what: "20 servers, each three times as slow for one second in ten, at its own time",
    size: 20,
    make: (_, random) => {
      const offset = random.next() * 10_000;
      return { pace: (now) => ((now + offset) % 10_000 < 1_000 ? 3 : 1), fails: never };
    },
  },
  {
    name: "churning",
    what: `20 servers, one replaced every 2 s by one that is ${COLD_PACE} times as slow for its first ${COLD_MS / 1_000} s`,
    size: 20,
    replaceEveryMs: 2_000,
    make: () => even,
  },
];

export function startServer(fleet: Fleet, index: number, name: string, now: number, random: Random): SimulatedServer {
  const { pace, fails } = fleet.make(index, random);
  const isNew = now > 0;
  return {
    id: name,
    freeAt: now,
    inFlight: 0,
    served: 0,
    since: now,
    pace: isNew ? (at) => pace(at) * (at - now < COLD_MS ? COLD_PACE : 1) : pace,
    fails,
  };
}
