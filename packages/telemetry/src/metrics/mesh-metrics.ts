/** Everything one process counts, and how it is read: `/stats/prometheus`. */

import type { OutcomeRecord, OutcomeSink } from "@inmesh/core";
import type { TelemetryPolicy } from "@inmesh/model";
import { Exposition, type ExpositionOptions } from "./exposition.js";
import { MeshCounters } from "./mesh-counters.js";
import { Samples } from "./samples.js";
import { TrafficMetrics, type TrafficMetricsOptions } from "./traffic-metrics.js";

export interface MeshMetricsOptions extends TrafficMetricsOptions {
  /** Clock ms. */
  readonly now: () => number;
  /** What is counted elsewhere and read at a scrape. */
  readonly collectors: readonly ((samples: Samples) => void)[];
}

export interface ReadOptions extends ExpositionOptions {
  /** Text of the application's own metrics, put behind ours. */
  readonly appended?: string | undefined;
}

export class MeshMetrics implements OutcomeSink {
  readonly traffic: TrafficMetrics;
  readonly #counters: MeshCounters;
  readonly #options: MeshMetricsOptions;

  constructor(options: MeshMetricsOptions) {
    this.#options = options;
    this.traffic = new TrafficMetrics(options);
    this.#counters = new MeshCounters(options.buckets);
  }

  ended(record: OutcomeRecord): void {
    this.traffic.ended(record);
    this.#counters.ended(record);
  }

  update(policy: TelemetryPolicy): void {
    this.traffic.update(policy);
  }

  /** In pieces: whoever writes them lets others have a turn between two. */
  *read({ appended = "", ...options }: ReadOptions = {}): Iterable<string> {
    const out = new Exposition(options);
    for (const _ of this.traffic.write(out, this.#options.now())) yield out.take();
    const samples = new Samples();
    this.#counters.write(samples);
    for (const [metric, count] of this.traffic.dropped()) {
      samples.add("inmesh_series_dropped_total", ["metric", metric], count);
    }
    for (const collect of this.#options.collectors) collect(samples);
    for (const _ of samples.write(out, familiesOf(appended))) yield out.take();
    const rest = options.openMetrics === true ? appended.replace(END, "") : appended;
    if (rest !== "") out.verbatim(rest.endsWith("\n") ? rest : `${rest}\n`);
    if (options.openMetrics === true) out.verbatim("# EOF\n");
    yield out.take();
  }
}

const END = /# EOF\n?$/;

/** Of a text: whoever has them, we write them no second time. */
function familiesOf(text: string): ReadonlySet<string> {
  if (text === "") return NONE;
  const families = new Set<string>();
  for (const [, name = ""] of text.matchAll(/^# TYPE ([A-Za-z_:][\w:]*) /gm)) families.add(name).add(`${name}_total`);
  return families;
}

const NONE: ReadonlySet<string> = new Set();
