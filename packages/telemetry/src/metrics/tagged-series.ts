/** Series of one metric whose labels a Telemetry resource changes: labels are made for each request, as policy says. */

import type { CelAttributes, TagOverride } from "@inmesh/model";
import { labelText } from "./exposition.js";
import { HistogramCells } from "./histogram-cells.js";
import { COMMON_LABELS } from "./metric-table.js";

/** Of a value that somebody else may have written. */
const MOST_CHARS = 128;

export interface TaggedSample {
  readonly labels: string;
  value: number;
  readonly cells: HistogramCells | undefined;
  lastAt: number;
}

export class TaggedSeries {
  readonly #tags: readonly TagOverride[];
  readonly #bounds: readonly number[] | undefined;
  readonly #samples = new Map<string, TaggedSample>();

  /** @param bounds of a histogram; undefined for a counter */
  constructor(tags: readonly TagOverride[], bounds: readonly number[] | undefined) {
    this.#tags = tags;
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#samples.size;
  }

  samples(): Iterable<TaggedSample> {
    return this.#samples.values();
  }

  /** @param mayGrow whether there may be one more series @returns undefined where there may not */
  sample(
    values: Readonly<Record<string, string>>,
    attributes: CelAttributes,
    { mayGrow, overflow }: { readonly mayGrow: boolean; readonly overflow: string },
  ): { readonly sample: TaggedSample; readonly dropped: boolean } {
    const labels = labelText(this.#pairs(values, attributes));
    const known = this.#samples.get(labels);
    if (known !== undefined) return { sample: known, dropped: false };
    if (mayGrow) return { sample: this.#add(labels), dropped: false };
    return { sample: this.#samples.get(overflow) ?? this.#add(overflow), dropped: true };
  }

  /** Those without a request since. @param before clock ms */
  forget(before: number): void {
    for (const [labels, { lastAt }] of this.#samples) if (lastAt < before) this.#samples.delete(labels);
  }

  #add(labels: string): TaggedSample {
    const cells = this.#bounds && new HistogramCells(this.#bounds);
    const sample: TaggedSample = { labels, value: 0, cells, lastAt: 0 };
    this.#samples.set(labels, sample);
    return sample;
  }

  #pairs(values: Readonly<Record<string, string>>, attributes: CelAttributes): string[] {
    const own = new Map<string, string | undefined>();
    for (const { tag, value } of this.#tags) own.set(tag, value && shown(value.evaluate(attributes)));
    const pairs: string[] = [];
    for (const label of COMMON_LABELS) {
      const value = own.has(label) ? own.get(label) : values[label];
      if (value !== undefined) pairs.push(label, value);
      own.delete(label);
    }
    for (const [tag, value] of own) if (value !== undefined) pairs.push(tag, value);
    return pairs;
  }
}

/** As Envoy has it, what cannot be found out is `unknown`. */
function shown(value: unknown): string {
  if (value === undefined || value === null) return "unknown";
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return text === "" ? "unknown" : text.slice(0, MOST_CHARS);
}
