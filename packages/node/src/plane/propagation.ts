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
  const startedAt = clock.now();
  const quietMs = delayMs * QUIET_SHARE;
  await hold(clock, Math.min(delayMs, longestMs) - quietMs, signal);
  for (let before = -1; before !== arrived(); ) {
    const leftMs = startedAt + longestMs - clock.now();
    if (leftMs <= 0 || signal.aborted) return;
    before = arrived();
    await hold(clock, Math.min(quietMs, leftMs), signal);
  }
}

export interface Succession extends Propagation {
  /** Shortest wait, in ms. */
  readonly leastMs: number;
  /** Whether somebody else is registered. */
  readonly others: () => boolean;
}

/** Waits `leastMs`, and on while requests arrive for which nobody else is registered. An abort ends the wait. */
export async function succeeded(succession: Succession): Promise<void> {
  const { clock, delayMs, leastMs, longestMs, arrived, others, signal } = succession;
  const startedAt = clock.now();
  let before = arrived();
  await hold(clock, Math.min(leastMs, longestMs), signal);
  while (!others() && before !== arrived()) {
    const leftMs = startedAt + longestMs - clock.now();
    if (leftMs <= 0 || signal.aborted) return;
    before = arrived();
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
