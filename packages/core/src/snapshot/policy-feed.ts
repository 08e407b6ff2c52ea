/** What fills a snapshot store: the pipeline over a registry's documents, or a source of policy that arrives compiled. */

import type { ServiceRef } from "@inmesh/model";
import type { PipelineStatus } from "./pipeline-status.js";

export interface PolicyFeed {
  /** Begins; the store has a snapshot as soon as there is one. Never throws: what is away is a status. */
  start(): void;
  /** A call needs the service, or still does. */
  use(service: ServiceRef): void;
  readonly status: PipelineStatus;
  /** Idempotent. */
  close(): Promise<void>;
}
