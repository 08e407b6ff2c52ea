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

const TWICE =
  "NODE_DEBUG=fetch makes every loaded copy of undici print, and the mesh brings one: lines come twice from its first request on";

export const KNOWN: readonly Known[] = [
  { suite: "undici", way: "outside", file: "test/node-test/debug.js", tests: /^debug#fetch$/, reason: TWICE },
  { suite: "undici", way: "inside", file: "test/node-test/debug.js", tests: /^debug#fetch$/, reason: TWICE },
];

/** @returns undefined when nobody has explained it */
export function reasonFor(suite: string, way: Way, { file, test }: Difference): string | undefined {
  return KNOWN.find(
    (each) => each.suite === suite && each.way === way && each.file === file && (each.tests?.test(test) ?? true),
  )?.reason;
}
