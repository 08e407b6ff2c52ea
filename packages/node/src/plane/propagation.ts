/** The waits of a process that ends: until others are in the registry for it, and until callers have heard that it is not. */

import { type Clock, sleep } from "@inmesh/core";

export interface Propagation {
  readonly clock: Clock;
  /** In which callers hear of it, in ms. */
  readonly delayMs: number;
  /** Longest wait, in ms: a caller whose event loop lags hears late, one outside the mesh never. */
  readonly longestMs: number;
  /** Requests received so far. */
  readonly arrived: () => number;
  readonly signal: AbortSignal;
}

/** Share of the delay in which no request must have come. */
const QUIET_SHARE = 1 / 4;

/** Waits `delayMs`, and on while requests arrive, which nobody sends who has heard. An abort ends the wait. */
export async function propagated({ clock, delayMs, longestMs, arrived, signal }: Propagation): Promise<void> {
  const giveUpAt = clock.now() + longestMs;
  await hold(clock, Math.min(delayMs, longestMs) - delayMs * QUIET_SHARE, signal);
  await whileArriving({ clock, delayMs, arrived, signal }, giveUpAt, -1);
}

export interface Succession extends Propagation {
  /** Shortest wait, in ms. */
  readonly leastMs: number;
  /** Whether somebody else is registered. */
  readonly others: () => boolean;
}

/** Waits `leastMs`, and on while requests arrive for which nobody else is registered. An abort ends the wait. */
export async function succeeded(succession: Succession): Promise<void> {
  const { clock, leastMs, longestMs, arrived, others, signal } = succession;
  const giveUpAt = clock.now() + longestMs;
  const before = arrived();
  await hold(clock, Math.min(leastMs, longestMs), signal);
  await whileArriving(succession, giveUpAt, before, others);
}

/** @param before how many had come; the wait is over with a quiet share of the delay in which none came */
async function whileArriving(
  { clock, delayMs, arrived, signal }: Omit<Propagation, "longestMs">,
  giveUpAt: number,
  before: number,
  isOver: () => boolean = () => false,
): Promise<void> {
  for (let seen = before; !isOver() && seen !== arrived(); ) {
    const leftMs = giveUpAt - clock.now();
    if (leftMs <= 0 || signal.aborted) return;
    seen = arrived();
    await hold(clock, Math.min(delayMs * QUIET_SHARE, leftMs), signal);
  }
}

/** Waits, and keeps the process alive meanwhile. An abort ends the wait. */
export async function hold(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await sleep(clock, ms, signal).catch(() => {}); // it rejects for an abort only
}

/** Waits for `work`, `ms` at most, and no longer once aborted; it goes on by itself then. */
export async function atMost(work: Promise<unknown>, clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  const done = new AbortController();
  const end = (): void => done.abort();
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();
  try {
    await Promise.race([work, hold(clock, ms, done.signal)]);
  } finally {
    signal.removeEventListener("abort", end);
    end();
  }
}
