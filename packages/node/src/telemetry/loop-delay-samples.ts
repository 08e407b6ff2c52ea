/** How late the event loop is, from the first scrape on: a process that nobody scrapes does not measure. */

import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import type { Samples } from "@inmesh/telemetry";

const RESOLUTION_MS = 20;
const RESOLUTION_NS = RESOLUTION_MS * 1e6;
/** A reading is of this long at least. */
const WINDOW_MS = 10_000;
const NS_PER_US = 1e3;
const US_PER_S = 1e6;

/** Seconds. */
interface Reading {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export class LoopDelaySamples {
  #histogram: IntervalHistogram | undefined;
  #since = 0;
  /** Of the last whole window. */
  #last: Reading | undefined;

  /** @param now clock ms */
  write(samples: Samples, now: number): void {
    if (this.#histogram === undefined) {
      this.#histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
      this.#histogram.enable();
      this.#since = now;
      return;
    }
    const current = read(this.#histogram);
    if (now - this.#since >= WINDOW_MS) {
      this.#last = current;
      this.#since = now;
      this.#histogram.reset();
    }
    const { p50, p99, max } = this.#last ?? current;
    for (const [stat, value] of [
      ["p50", p50],
      ["p99", p99],
      ["max", max],
    ] as const) {
      samples.add("inmesh_event_loop_delay_seconds", ["stat", stat], value);
    }
  }

  close(): void {
    this.#histogram?.disable();
  }
}

/** The histogram holds the whole interval between two ticks. */
function read(histogram: IntervalHistogram): Reading {
  const late = (ns: number): number => Math.max(0, Math.round((ns - RESOLUTION_NS) / NS_PER_US) / US_PER_S);
  if (histogram.count === 0) return { p50: 0, p99: 0, max: 0 };
  return { p50: late(histogram.percentile(50)), p99: late(histogram.percentile(99)), max: late(histogram.max) };
}
