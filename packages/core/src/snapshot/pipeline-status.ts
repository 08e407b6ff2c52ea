/** What the pipeline says of itself: what is in force, where it comes from, and what of it was refused. */

import type { Problem, ResourceRef } from "@inmesh/model";
import type { RegistryView, SourceStatus } from "./source.js";

/** A document that is not in force as it is written now. */
export interface Refusal extends ResourceRef {
  readonly key: string;
  /** Whether its last good version stands in for it. */
  readonly kept: boolean;
  /** Of a kind that decides who may call whom: without a version kept it must deny what it selects. */
  readonly security: boolean;
  readonly problems: readonly Problem[];
}

export interface PipelineStatus {
  /** `degraded`: something that was written is not in force. `starting`: nothing was published yet. */
  readonly state: "starting" | "ok" | "degraded";
  readonly source: SourceStatus;
  /** Of the snapshot in force; 0 and empty before the first. */
  readonly version: number;
  readonly revision: string;
  /** Whether the snapshot in force comes from the state file, because the registry never answered. */
  readonly fromState: boolean;
  /** Wall time of the state in use, ms since 1970. */
  readonly stateSavedAt: number | undefined;
  /** Clock ms at which the snapshot in force was published. */
  readonly publishedAt: number | undefined;
  /** Of a registry that tells instances only of services in use: how many it knows, and of how many it told. Absent otherwise. */
  readonly services?: { readonly known: number; readonly loaded: number };
  readonly views: number;
  readonly publications: number;
  readonly compileFailures: number;
  readonly validated: number;
  readonly lastValidateMs: number;
  readonly lastCompileMs: number;
  readonly lastPublishMs: number;
  readonly refused: readonly Refusal[];
  readonly problems: readonly Problem[];
}

export function countServices(services: RegistryView["services"] = []): NonNullable<PipelineStatus["services"]> {
  return { known: services.length, loaded: services.filter(({ loaded }) => loaded).length };
}
