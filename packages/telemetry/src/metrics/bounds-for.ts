/** Bounds of histograms by the beginning of a metric's name. */
export type Buckets = Readonly<Record<string, readonly number[]>>;

/** The longest prefix wins. */
export function boundsFor(name: string, buckets: Buckets | undefined, otherwise: readonly number[]): readonly number[] {
  let found = otherwise;
  let length = -1;
  for (const [prefix, bounds] of Object.entries(buckets ?? {})) {
    if (!name.startsWith(prefix) || prefix.length <= length) continue;
    found = bounds;
    length = prefix.length;
  }
  return found;
}
