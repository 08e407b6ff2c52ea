/** Differences that have a reason. The guide tells each of them to users. */

import type { Difference } from "../run/compare.js";
import type { Way } from "../run/outcome.js";

interface Known {
  readonly suite: string;
  readonly way: Way;
  readonly file: string;
  /** All of the file's when absent. */
  readonly tests?: RegExp;
  readonly reason: string;
}

export const KNOWN: readonly Known[] = [];

/** @returns undefined when nobody has explained it */
export function reasonFor(suite: string, way: Way, { file, test }: Difference): string | undefined {
  return KNOWN.find(
    (each) => each.suite === suite && each.way === way && each.file === file && (each.tests?.test(test) ?? true),
  )?.reason;
}
