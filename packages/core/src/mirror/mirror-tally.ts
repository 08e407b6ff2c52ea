/** Counters of the copies that went, or did not go, to one cluster. Apart from the cluster's own: nobody asked for these calls. */

import { CallStats, type CallStatsReading } from "../stats/call-stats.js";

/** Why no copy was sent. */
export type MirrorSkip =
  /** The cluster does not exist: no such service, port or subset. */
  | "unknownCluster"
  /** Its policy asks for TLS of a kind that this version does not originate. */
  | "tlsUnavailable"
  /** As many copies, or bytes of their bodies, are under way as are allowed. */
  | "overloaded"
  /** CONNECT and upgrades, and adapters that cannot send a request twice. */
  | "notCopyable"
  /** The request itself was not sent anywhere. */
  | "primaryNotSent"
  | BodyLoss;

/** Why there is no whole copy of a streamed body. */
export type BodyLoss =
  /** More than is kept of a stream. */
  | "bodyTooLarge"
  /** The call was over before its body was. */
  | "bodyIncomplete";

/** GET /stats: one entry per cluster that is mirrored to. */
export interface MirrorReading {
  readonly cluster: string;
  /** Of copies that were sent, to the head of their answer. */
  readonly stats: CallStatsReading;
  /** Copies that were not sent, by reason; reasons that never came up are left out. */
  readonly skipped: { readonly [Reason in MirrorSkip]?: number };
}

export class MirrorTally {
  readonly cluster: string;
  readonly stats = new CallStats();
  /** Bytes of bodies that copies under way keep alive. */
  heldBytes = 0;
  readonly #skipped = new Map<MirrorSkip, number>();

  constructor(cluster: string) {
    this.cluster = cluster;
  }

  skip(reason: MirrorSkip): undefined {
    this.#skipped.set(reason, (this.#skipped.get(reason) ?? 0) + 1);
  }

  read(): MirrorReading {
    return { cluster: this.cluster, stats: this.stats.read(), skipped: Object.fromEntries(this.#skipped) };
  }
}
