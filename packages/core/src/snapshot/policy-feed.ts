/** What fills a snapshot store: the pipeline over a registry's documents, or a source of policy that arrives compiled. */

import type { ServiceRef } from "@inmesh/model";
import type { PipelineStatus } from "./pipeline-status.js";

/** As bound: `0.0.0.0` and `::` are every address of the machine. */
export interface ListeningAddress {
  readonly address: string;
  readonly port: number;
}

export interface PolicyFeed {
  /** Begins; the store has a snapshot as soon as there is one. Never throws: what is away is a status. */
  start(): void;
  /** A call needs the service, or still does. */
  use(service: ServiceRef): void;
  /** The process listens on these and no others from now on. Absent where policy for servers comes unasked. */
  serve?(listeners: readonly ListeningAddress[]): void;
  readonly status: PipelineStatus;
  /** Idempotent. */
  close(): Promise<void>;
}
