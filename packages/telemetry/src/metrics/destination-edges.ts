/** Who calls this process, as the destination sees it: by the peer's certificate and what the registry knows of it. */

import type { OutcomeRecord } from "@inmesh/core";
import type { PeerIdentity } from "@inmesh/model";
import type { Edge, EdgeHolder, LabelValues } from "./edge.js";
import type { PeerMetadata } from "./peer-metadata.js";
import { destinationLabels, sourceLabels } from "./source-edges.js";
import { UNKNOWN, UNKNOWN_WORKLOAD, type WorkloadLabels } from "./workload-labels.js";

/** Joins certificates with the registry. */
export interface PeerWorkloads {
  /** Grows whenever the registry may say otherwise. */
  readonly version: number;
  /** @returns undefined where the registry has no such workload */
  find(peer: PeerIdentity): WorkloadLabels | undefined;
}

export interface DestinationEdgesOptions {
  readonly self: WorkloadLabels;
  readonly service: { readonly host: () => string; readonly name: string; readonly namespace: string };
  readonly principal: () => string;
  readonly peers: PeerWorkloads;
  /** Absent: nobody tells more of itself than its certificate does. */
  readonly metadata?: PeerMetadata | undefined;
  readonly intern: (values: LabelValues, holder: EdgeHolder) => Edge;
}

interface Known {
  readonly edge: Edge;
  readonly version: number;
  readonly principal: string;
}

/** Callers remembered at a time; with more, all are found anew. */
const MOST = 2_000;
const NOTHING = {};

export class DestinationEdges {
  readonly fixed: LabelValues;
  readonly #options: DestinationEdgesOptions;
  /** By what callers say of themselves, and by certificate. */
  readonly #known = new Map<object, Map<string, Known>>();
  #size = 0;
  /** By certificate. */
  readonly #holders = new Map<string, EdgeHolder>();

  constructor(options: DestinationEdgesOptions) {
    this.#options = options;
    const { self, service } = options;
    this.fixed = {
      reporter: "destination",
      ...destinationLabels(self),
      ...{ destination_service_name: service.name, destination_service_namespace: service.namespace },
    };
  }

  of(record: OutcomeRecord): Edge {
    const { peers, principal, metadata } = this.#options;
    const { peer, mtls, peerWorkload } = record;
    const about = mtls && peer !== undefined && peerWorkload !== "" ? metadata?.read(peerWorkload, peer) : undefined;
    const key = peer?.id ?? (mtls ? "mtls" : "");
    const known = this.#known.get(about ?? NOTHING)?.get(key);
    const own = principal();
    if (known !== undefined && known.version === peers.version && known.principal === own) return known.edge;
    const workload = about?.labels ?? (peer && peers.find(peer));
    const values: LabelValues = {
      ...this.fixed,
      // Not even its namespace where the rest is unknown: Kiali drops a sample of which only that is known.
      ...sourceLabels(workload ?? UNKNOWN_WORKLOAD),
      source_principal: peer?.id ?? UNKNOWN,
      destination_principal: (mtls && own) || UNKNOWN,
      destination_service: this.#options.service.host(),
      connection_security_policy: mtls ? "mutual_tls" : "none",
    };
    const edge = this.#options.intern(values, this.#holderOf(key, peer));
    this.#keep(about ?? NOTHING, key, { edge, version: peers.version, principal: own });
    return edge;
  }

  #keep(about: object, key: string, known: Known): void {
    if (this.#size >= MOST) this.sweep();
    let byPeer = this.#known.get(about);
    if (byPeer === undefined) {
      byPeer = new Map();
      this.#known.set(about, byPeer);
    }
    if (!byPeer.has(key)) this.#size += 1;
    byPeer.set(key, known);
  }

  /** Edges were let go of: what is still known of them is found anew. */
  sweep(): void {
    this.#known.clear();
    this.#size = 0;
    for (const [key, holder] of this.#holders) if (holder.gone) this.#holders.delete(key);
  }

  #holderOf(key: string, peer: PeerIdentity | undefined): EdgeHolder {
    let holder = this.#holders.get(key);
    if (holder === undefined) {
      const { peers } = this.#options;
      holder = {
        get gone() {
          return peer !== undefined && peers.find(peer) === undefined;
        },
      };
      this.#holders.set(key, holder);
    }
    return holder;
  }
}
