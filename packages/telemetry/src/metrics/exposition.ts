/**
 * Writes metrics as Prometheus reads them: text 0.0.4, or OpenMetrics 1.0 with exemplars. In pieces, so that many series
 * do not hold the event loop up.
 */

import type { Exemplar } from "./histogram-cells.js";
import type { MetricSpec } from "./metric-table.js";

export interface ExpositionOptions {
  readonly openMetrics?: boolean;
  /** Only metrics whose name it finds. */
  readonly filter?: (name: string) => boolean;
  /** Without samples that are 0. */
  readonly usedOnly?: boolean;
}

export const TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8";
export const OPEN_METRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/** Characters after which a piece is handed on. */
const PIECE = 16 * 1_024;
/** In OpenMetrics a family of counters is named without it. */
const TOTAL = /_total$/;

export class Exposition {
  readonly openMetrics: boolean;
  readonly usedOnly: boolean;
  readonly #filter: ((name: string) => boolean) | undefined;
  #text = "";

  constructor({ openMetrics = false, filter, usedOnly = false }: ExpositionOptions = {}) {
    this.openMetrics = openMetrics;
    this.usedOnly = usedOnly;
    this.#filter = filter;
  }

  get contentType(): string {
    return this.openMetrics ? OPEN_METRICS_TYPE : TEXT_TYPE;
  }

  wants(name: string): boolean {
    return this.#filter?.(name) ?? true;
  }

  /** Before the samples of a metric, which follow one another. */
  head({ name, type, help }: Pick<MetricSpec, "name" | "type" | "help">): void {
    const family = this.openMetrics && type === "counter" ? name.replace(TOTAL, "") : name;
    this.#text += `# HELP ${family} ${escapeHelp(help)}\n# TYPE ${family} ${type}\n`;
  }

  /** @param labels as `labelText` writes them; empty */
  sample(name: string, labels: string, value: number): void {
    this.#text += labels === "" ? `${name} ${numberText(value)}\n` : `${name}{${labels}} ${numberText(value)}\n`;
  }

  histogram(name: string, labels: string, { bounds, counts, sum, exemplars }: HistogramReading): void {
    // One piece of text, and not a rope, which V8 would walk for each of twenty lines.
    const before = [name, "_bucket{", labels, labels === "" ? 'le="' : ',le="'].join("");
    const after = afterBounds(bounds);
    let count = 0;
    let text = "";
    for (let index = 0; index <= bounds.length; index++) {
      count += counts[index]!; // one more than there are bounds
      const exemplar = this.openMetrics ? exemplarText(exemplars?.[index]) : "";
      text += `${before}${after[index]!}${count}${exemplar}\n`; // as many
    }
    const shown = labels === "" ? "" : `{${labels}}`;
    this.#text += `${text}${name}_sum${shown} ${numberText(sum)}\n${name}_count${shown} ${count}\n`;
  }

  /** Lines that are written already, with an end of line. */
  verbatim(text: string): void {
    this.#text += text;
  }

  get full(): boolean {
    return this.#text.length >= PIECE;
  }

  /** What has been written since the last time. */
  take(): string {
    const text = this.#text;
    this.#text = "";
    return text;
  }
}

export interface HistogramReading {
  readonly bounds: readonly number[];
  /** Per bucket, not cumulative; the last above every bound. */
  readonly counts: ArrayLike<number>;
  readonly sum: number;
  readonly exemplars?: readonly (Exemplar | undefined)[] | undefined;
}

/** Bounds, and what of a line follows them: made once, of a list that never changes. */
const lineEnds = new WeakMap<readonly number[], readonly string[]>();

function afterBounds(bounds: readonly number[]): readonly string[] {
  let ends = lineEnds.get(bounds);
  if (ends === undefined) {
    ends = [...bounds, "+Inf"].map((bound) => `${bound}"} `);
    lineEnds.set(bounds, ends);
  }
  return ends;
}

/** @param pairs flat `[name, value, …]` @returns `a="b",c="d"` */
export function labelText(pairs: readonly string[]): string {
  const parts: string[] = [];
  for (let index = 0; index < pairs.length; index += 2) {
    parts.push(index === 0 ? "" : ",", pairs[index]!, '="', escapeLabel(pairs[index + 1]!), '"'); // flat pairs
  }
  return parts.join(""); // no rope: it is read again and again
}

function escapeLabel(value: string): string {
  return UNSAFE_LABEL.test(value)
    ? value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")
    : value;
}

const UNSAFE_LABEL = /[\\"\n]/;

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

export function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  return Number.isNaN(value) ? "NaN" : String(value);
}

/** Its trace id is ours to write: hexadecimal digits only. */
function exemplarText(exemplar: Exemplar | undefined): string {
  if (exemplar === undefined || !TRACE_ID.test(exemplar.traceId)) return "";
  return ` # {trace_id="${exemplar.traceId}"} ${numberText(exemplar.value)} ${(exemplar.wallMs / 1_000).toFixed(3)}`;
}

const TRACE_ID = /^[0-9a-f]{16,32}$/;
