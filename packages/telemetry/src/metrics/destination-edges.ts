/** Who calls this process, as the destination sees it: by the peer's certificate and what the registry knows of it. */

import type { OutcomeRecord } from "@inmesh/core";
import type { PeerIdentity } from "@inmesh/model";
import type { Edge, EdgeHolder, LabelValues } from "./edge.js";
import { METADATA_HEADER, type PeerMetadata } from "./peer-metadata.js";
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
  readonly holder: EdgeHolder;
  readonly version: number;
  readonly principal: string;
}

/** Certificates remembered at a time; the oldest leaves. */
const MOST = 2_000;

export class DestinationEdges {
  readonly fixed: LabelValues;
  readonly #options: DestinationEdgesOptions;
  readonly #known = new Map<string, Known>();

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
    const { peer, mtls } = record;
    const told =
      metadata !== undefined && mtls && peer !== undefined ? record.requestHeader(METADATA_HEADER) : undefined;
    const about = told === undefined || peer === undefined ? undefined : metadata?.read(told, peer);
    const key = peer === undefined ? (mtls ? "mtls" : "") : about === undefined ? peer.id : `${peer.id} ${about.key}`;
    const known = this.#known.get(key);
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
    const holder = known?.holder ?? holderOf(peer, peers);
    const edge = this.#options.intern(values, holder);
    if (this.#known.size >= MOST) this.#known.delete(this.#known.keys().next().value!); // full, so not empty
    this.#known.set(key, { edge, holder, version: peers.version, principal: own });
    return edge;
  }

  /** Edges were let go of: what is still known of them is found anew. */
  sweep(): void {
    this.#known.clear();
  }
}

function holderOf(peer: PeerIdentity | undefined, peers: PeerWorkloads): EdgeHolder {
  return {
    get gone() {
      return peer !== undefined && peers.find(peer) === undefined;
    },
  };
}
