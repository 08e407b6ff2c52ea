/** What clusters have in common: of a thousand that a control plane generates most say the same but for their names. */

import type { Protocol, Resolution, ResourceRef } from "@inmesh/model";
import type { ClusterAssignment } from "../client/endpoint/assignment.js";

export interface ClusterKind {
  /** `eds`: endpoints are told under `edsName`. `aggregate`: those of `children`, the first that have any. */
  readonly kind: "eds" | "inline" | "asAsked" | "aggregate";
  readonly resolution: Resolution;
  readonly children: readonly string[];
  /** Written into the cluster itself. */
  readonly endpoints: ClusterAssignment | undefined;
  readonly port: number;
  readonly subset: string;
  readonly namespace: string;
  readonly external: boolean;
  readonly protocol: Protocol;
  /** The DestinationRule in charge, where istiod names one. */
  readonly resource: ResourceRef | null;
  /** locality_weighted_lb_config: localities get calls by their weights. */
  readonly weighsLocalities: boolean;
  /** What of it is not honoured, by name. */
  readonly notices: readonly string[];
  readonly profile: "envoy" | "grpc";
  readonly acceptsUnnamed: boolean;
}

/** Looked for again; where there are more kinds than this, few clusters are alike. */
const MOST_KINDS = 64;

export class KindPool {
  readonly #kinds = new Map<string, ClusterKind>();

  /** One that says the same. */
  one(kind: ClusterKind): ClusterKind {
    if (kind.endpoints !== undefined) return kind; // its own
    const key = JSON.stringify(kind);
    const known = this.#kinds.get(key);
    if (known !== undefined) return known;
    if (this.#kinds.size >= MOST_KINDS) this.#kinds.clear();
    this.#kinds.set(key, kind);
    return kind;
  }
}
