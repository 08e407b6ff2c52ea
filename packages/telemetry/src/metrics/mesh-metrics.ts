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
  /** What is counted elsewhere and read at a scrape. Of many things pauses after each: others may have a turn then. */
  readonly collectors: readonly ((samples: Samples) => Iterable<void> | void)[];
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

  /** In pieces, some of them empty: whoever writes them lets others have a turn between two. */
  *read({ appended = "", ...options }: ReadOptions = {}): Iterable<string> {
    const out = new Exposition(options);
    for (const _ of this.traffic.write(out, this.#options.now())) yield out.take();
    const samples = new Samples();
    for (const _ of this.#gather(samples)) yield out.take();
    for (const _ of samples.write(out, familiesOf(appended))) yield out.take();
    const rest = options.openMetrics === true ? appended.replace(END, "") : appended;
    if (rest !== "") out.verbatim(rest.endsWith("\n") ? rest : `${rest}\n`);
    if (options.openMetrics === true) out.verbatim("# EOF\n");
    yield out.take();
  }

  *#gather(samples: Samples): Iterable<void> {
    yield* nowAndThen(this.#counters.write(samples));
    for (const [metric, count] of this.traffic.dropped()) {
      samples.add("inmesh_series_dropped_total", ["metric", metric], count);
    }
    for (const collect of this.#options.collectors) {
      const pauses = collect(samples);
      if (pauses !== undefined) yield* nowAndThen(pauses);
    }
  }
}

/** Clusters, of which each takes some us, between two turns of others. */
const CLUSTERS = 64;

function* nowAndThen(pauses: Iterable<void>): Iterable<void> {
  let turn = 0;
  for (const _ of pauses) {
    turn += 1;
    if (turn % CLUSTERS === 0) yield;
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
