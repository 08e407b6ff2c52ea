/** What a case of the whole-request benchmarks is: a baseline and the same requests through something more. */

import type { Variant } from "../lib/paired.js";
import type { Upstream } from "../lib/upstream.js";

export interface RequestCase {
  /** Row of the table. */
  readonly name: string;
  /** Ports that the upstream listens on. @default 1 */
  readonly endpoints?: number;
  /** Sets both up against one upstream. Called in a process of its own. */
  readonly start: (upstream: Upstream) => RunningCase | Promise<RunningCase>;
}

export interface RunningCase {
  readonly baseline: Variant;
  readonly candidate: Variant;
  close(): Promise<void>;
}

/** Requests in flight: enough to hide wake-ups, few enough for one connection each. */
export const WIDTH = 16;
export const PATH = "/api/reviews/42";
export const HEADERS = { accept: "application/json", "x-user": "ann" };
