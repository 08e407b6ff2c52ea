/** Connections to one endpoint, whatever is spoken on them. */

import type { Endpoint, TrafficPolicy } from "@inmesh/model";
import type { WireAttempt } from "./wire-attempt.js";

export interface Pool {
  /** In force: replaced by one that says the same. */
  policy: TrafficPolicy;
  /** As it was when that was looked at. */
  endpoint: Endpoint;
  /** Requests given to it so far; a sweep that finds no more of them than the last takes the pool for idle. */
  uses: number;
  usesSeen: number;
  /** Connections held, or about to be. */
  readonly size: number;
  /** Of these, open ones that no request is on. */
  readonly idle: number;
  dispatch(wire: WireAttempt): void;
  /** For a sweep: lets go of what nothing used since the last one. */
  dropUnused(): void;
  /** Lets running requests finish, then closes. */
  close(): Promise<void>;
  /** Running requests end with `error`. */
  destroy(error: Error): Promise<void>;
}
