/** Samples of small metrics, gathered at a scrape from wherever they are counted, and written metric after metric. */

import { type Exposition, type HistogramReading, labelText } from "./exposition.js";
import { METRICS, type MetricName } from "./metric-table.js";

/** Its labels are made into text when it is written: many are gathered in one go, and other work has its turn between lines only. */
interface Sample {
  readonly pairs: readonly string[];
  readonly value: number | HistogramReading;
}

export class Samples {
  readonly #byMetric = new Map<MetricName, Sample[]>();

  /** @param pairs flat `[label, value, …]` */
  add(metric: MetricName, pairs: readonly string[], value: number): void {
    this.#of(metric).push({ pairs, value });
  }

  histogram(metric: MetricName, pairs: readonly string[], reading: HistogramReading): void {
    this.#of(metric).push({ pairs, value: reading });
  }

  /** @param skipped metrics that somebody else writes */
  *write(out: Exposition, skipped: ReadonlySet<string>): Iterable<void> {
    for (const spec of METRICS) {
      const found = this.#byMetric.get(spec.name);
      if (found === undefined || skipped.has(spec.name) || !out.wants(spec.name)) continue;
      const shown = out.usedOnly ? found.filter(({ value }) => isUsed(value)) : found;
      if (shown.length === 0) continue;
      out.head(spec);
      for (const { pairs, value } of shown) {
        const labels = labelText(pairs);
        if (typeof value === "number") out.sample(spec.name, labels, value);
        else out.histogram(spec.name, labels, value);
        if (out.full) yield;
      }
    }
  }

  #of(metric: MetricName): Sample[] {
    let samples = this.#byMetric.get(metric);
    if (samples === undefined) {
      samples = [];
      this.#byMetric.set(metric, samples);
    }
    return samples;
  }
}

function isUsed(value: number | HistogramReading): boolean {
  if (typeof value === "number") return value !== 0;
  for (let index = 0; index < value.counts.length; index++) if (value.counts[index] !== 0) return true;
  return false;
}
