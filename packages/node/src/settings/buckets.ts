/**
 * Bounds of histograms by the beginning of a metric's name, written as Istio's annotation
 * `sidecar.istio.io/statsHistogramBuckets` has them: `{"istio":[1,5,10]}`. Its own prefix `istiocustom` means `istio`.
 */

import type { Buckets } from "@inmesh/telemetry";
import type { Invalid } from "./values.js";

/** A histogram of more costs too much on every scrape. */
const MOST = 100;

export function readBuckets(value: unknown): Buckets | Invalid {
  let given = value;
  if (typeof value === "string") {
    try {
      given = JSON.parse(value);
    } catch {
      return { invalid: EXPECTED };
    }
  }
  if (typeof given !== "object" || given === null || Array.isArray(given)) return { invalid: EXPECTED };
  const read: Record<string, readonly number[]> = Object.create(null);
  for (const [prefix, bounds] of Object.entries(given)) {
    if (!Array.isArray(bounds) || bounds.length === 0 || bounds.length > MOST) return { invalid: EXPECTED };
    const rises = bounds.every(
      (bound, index) =>
        typeof bound === "number" && Number.isFinite(bound) && (index === 0 || bound > bounds[index - 1]),
    );
    if (!rises) return { invalid: EXPECTED };
    read[prefix === "istiocustom" ? "istio" : prefix] = bounds;
  }
  return read;
}

const EXPECTED = `expected bounds that rise, at most ${MOST}, by prefix of names: {"istio":[1,5,10,50]}`;
