/** What the soak and the probe inside each process tell each other. */

export type ToProbe =
  | { readonly type: "sample" }
  /** Take no more work; from then on nothing may keep the process. */
  | { readonly type: "drain" };

export interface Sample {
  /** After a garbage collection, in bytes. */
  readonly heap: number;
  readonly rss: number;
  /** Every socket of the process, idle ones too; -1 where there is no /proc. */
  readonly sockets: number;
  /** Timers that keep the process. */
  readonly timers: number;
}

export type FromProbe =
  | { readonly type: "sample"; readonly sample: Sample }
  /** Drained; what still keeps the process. */
  | { readonly type: "drained"; readonly active: readonly string[] }
  | ({ readonly type: "counts" } & Counts);

/** Of the shopper. */
export interface Counts {
  readonly sent: number;
  readonly answered: number;
  /** Given up on purpose. */
  readonly aborted: number;
  readonly failures: readonly string[];
}
