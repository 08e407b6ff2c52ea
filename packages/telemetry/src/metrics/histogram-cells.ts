/** A histogram with fixed bounds, as Prometheus has them: no allocation per sample. */

export interface Exemplar {
  traceId: string;
  value: number;
  wallMs: number;
}

export class HistogramCells {
  readonly bounds: readonly number[];
  /** Not cumulative; one more than there are bounds. */
  readonly counts: Float64Array;
  sum = 0;
  /** The last sampled trace of each bucket; undefined until there is one. */
  exemplars: (Exemplar | undefined)[] | undefined = undefined;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  get count(): number {
    return this.counts.reduce((sum, each) => sum + each, 0);
  }

  /** @returns the bucket it went to */
  record(value: number): number {
    const { bounds } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]!) bucket += 1; // most are small, and a bound is in its bucket
    this.counts[bucket]! += 1; // in range
    this.sum += value;
    return bucket;
  }

  exemplify(bucket: number, traceId: string, value: number, wallMs: number): void {
    this.exemplars ??= new Array<Exemplar | undefined>(this.counts.length).fill(undefined);
    const known = this.exemplars[bucket];
    if (known === undefined) {
      this.exemplars[bucket] = { traceId, value, wallMs };
      return;
    }
    known.traceId = traceId;
    known.value = value;
    known.wallMs = wallMs;
  }
}
