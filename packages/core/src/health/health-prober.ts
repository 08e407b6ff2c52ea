/** What asks an endpoint how it is: a transport's part, given to the engine. */

import type { Cluster, Endpoint } from "@inmesh/model";

export interface HealthTarget {
  /** Whose endpoint: its address may be another by the time of the next check. */
  readonly of: { readonly endpoint: Endpoint };
  /** With a `healthCheck` in its policy. */
  readonly cluster: Cluster;
}

export interface HealthFinding {
  readonly well: boolean;
  /** `200`, `connect ECONNREFUSED 10.0.0.1:80`. */
  readonly found: string;
}

/** Asks one endpoint, once at a time. */
export interface HealthProbe {
  /**
   * Asks until it is told to stop: how long that may take is the caller's business.
   * @param done called once at most
   * @returns gives it up
   */
  ask(done: (finding: HealthFinding) => void): () => void;
  close(): void;
}

export interface HealthProber {
  /** @returns why such a cluster cannot be checked, in words, instead of a probe */
  open(target: HealthTarget): HealthProbe | string;
}
