/** What one client of a registry gets. */

import type { Refusal } from "@inmesh/core";
import type { Snapshot } from "@inmesh/model";

export interface ClientView {
  readonly snapshot: Snapshot;
  /** Documents, or resources of a control plane, that are not in force as they are written. */
  readonly refused: readonly Refusal[];
}
