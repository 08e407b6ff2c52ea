/** Where calls of this process go, as the source sees it: labels of the peer come from the endpoint that was picked. */

import type { OutcomeRecord } from "@inmesh/core";
import type { Endpoint, Service } from "@inmesh/model";
import type { Edge, EdgeHolder, LabelValues } from "./edge.js";
import { UNKNOWN, UNKNOWN_WORKLOAD, type WorkloadLabels, workloadLabels } from "./workload-labels.js";

export interface SourceEdgesOptions {
  readonly self: WorkloadLabels;
  readonly principal: () => string;
  readonly intern: (values: LabelValues, holder: EdgeHolder) => Edge;
}

/** What is known of one endpoint, cluster or virtual host, as it was when its labels were made. */
interface Known {
  readonly edge: Edge;
  readonly endpoint: Endpoint | undefined;
  readonly peer: string;
  readonly principal: string;
}

/** An endpoint, or a cluster. */
type Mortal = { readonly removed: boolean } | { readonly closed: boolean };

const ALWAYS: EdgeHolder = { gone: false };

export class SourceEdges {
  readonly fixed: LabelValues;
  readonly #options: SourceEdgesOptions;
  #known = new WeakMap<object, Known>();
  readonly #holders = new WeakMap<object, EdgeHolder>();
  readonly #elsewhere = new Map<string, Edge>();

  constructor(options: SourceEdgesOptions) {
    this.#options = options;
    this.fixed = { reporter: "source", ...sourceLabels(options.self) };
  }

  of({ endpoint: state, cluster, call, peer, code }: OutcomeRecord): Edge {
    const key = state ?? cluster ?? call?.virtualHost;
    if (key === undefined) return this.#nowhere(code);
    const principal = this.#options.principal();
    const peerId = peer?.id ?? "";
    const known = this.#known.get(key);
    const endpoint = state?.endpoint;
    if (known !== undefined && known.endpoint === endpoint && known.peer === peerId && known.principal === principal) {
      return known.edge;
    }
    const service = cluster?.config.service ?? call?.virtualHost?.service;
    const values: LabelValues = {
      ...this.fixed,
      source_principal: principal || UNKNOWN,
      ...destinationLabels(workloadOf(endpoint, service)),
      destination_principal: peerId || UNKNOWN,
      ...serviceLabels(service),
      connection_security_policy: UNKNOWN,
    };
    const edge = this.#options.intern(values, this.#holder(state ?? cluster));
    this.#known.set(key, { edge, endpoint, peer: peerId, principal });
    return edge;
  }

  /** Edges were let go of: what is still known of them is found anew. */
  sweep(): void {
    this.#known = new WeakMap();
    this.#elsewhere.clear();
  }

  #holder(of: Mortal | undefined): EdgeHolder {
    if (of === undefined) return ALWAYS;
    let holder = this.#holders.get(of);
    if (holder === undefined) {
      holder = holderOf(of);
      this.#holders.set(of, holder);
    }
    return holder;
  }

  /** Hosts that nobody knows are all one: their names are not ours. */
  #nowhere(code: string): Edge {
    const name = code === "HOST_UNKNOWN" ? "BlackHoleCluster" : code === "" ? "PassthroughCluster" : UNKNOWN;
    const known = this.#elsewhere.get(name);
    if (known !== undefined) return known;
    const values: LabelValues = {
      ...this.fixed,
      source_principal: this.#options.principal() || UNKNOWN,
      ...destinationLabels(UNKNOWN_WORKLOAD),
      destination_principal: UNKNOWN,
      ...{ destination_service: UNKNOWN, destination_service_name: name, destination_service_namespace: UNKNOWN },
      connection_security_policy: UNKNOWN,
    };
    const edge = this.#options.intern(values, ALWAYS);
    this.#elsewhere.set(name, edge);
    return edge;
  }
}

/** Whoever is no workload of a registry has an address only. */
function workloadOf(endpoint: Endpoint | undefined, service: Service | undefined): WorkloadLabels {
  if (endpoint === undefined || service === undefined) return UNKNOWN_WORKLOAD;
  const { workloads, labels } = endpoint;
  if (workloads.length === 0 && Object.keys(labels).length === 0) return UNKNOWN_WORKLOAD;
  return workloadLabels(labels, service.name, service.namespace);
}

/** Weak: an endpoint that left is not kept for its labels. */
function holderOf(state: Mortal): EdgeHolder {
  const held = new WeakRef(state);
  return {
    get gone() {
      const found = held.deref();
      return found === undefined || ("removed" in found ? found.removed : found.closed);
    },
  };
}

export function sourceLabels(of: WorkloadLabels): LabelValues {
  return {
    source_workload: of.workload,
    source_canonical_service: of.canonicalService,
    source_canonical_revision: of.canonicalRevision,
    source_workload_namespace: of.namespace,
    source_app: of.app,
    source_version: of.version,
    source_cluster: of.cluster,
  };
}

export function destinationLabels(of: WorkloadLabels): LabelValues {
  return {
    destination_workload: of.workload,
    destination_workload_namespace: of.namespace,
    destination_app: of.app,
    destination_version: of.version,
    destination_canonical_service: of.canonicalService,
    destination_canonical_revision: of.canonicalRevision,
    destination_cluster: of.cluster,
  };
}

function serviceLabels(service: Service | undefined): LabelValues {
  return {
    destination_service: service?.host ?? UNKNOWN,
    destination_service_name: service?.name ?? UNKNOWN,
    destination_service_namespace: service?.namespace ?? UNKNOWN,
  };
}
