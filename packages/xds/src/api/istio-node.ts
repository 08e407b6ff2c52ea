/**
 * Who this process is in istiod's eyes (Istio's ParseServiceNodeWithMetadata): an id of four parts, and metadata by which it
 * chooses what concerns it. Whoever has no name from a platform has one all the same: a missing IP or id is refused.
 */

import type { Locality } from "@inmesh/model";

/** A Node message (envoy/config/core/v3/base.proto), but for what the client itself adds to it. */
export interface IstioNode {
  readonly id: string;
  readonly cluster: string;
  readonly locality?: { readonly region: string; readonly zone: string; readonly sub_zone: string };
  readonly metadata: Readonly<Record<string, unknown>>;
}

export interface IstioNodeFacts {
  readonly namespace: string;
  /** Unique in the namespace: a pod's name, where it is one. */
  readonly name: string;
  /** IP. */
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly serviceAccount?: string | undefined;
  readonly locality?: Locality | undefined;
  /** Takes TLS of the mesh, so that sidecars call it over that. */
  readonly member: boolean;
  /** `grpc`: only what gRPC without a proxy understands. Absent: what a sidecar is told. */
  readonly generator?: "grpc" | undefined;
  /** As Istio's injection gives them to every container beside a proxy (`ISTIO_META_CLUSTER_ID`, …). */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Of an installation without others. */
export const DEFAULT_CLUSTER = "Kubernetes";

/** What the resources here are those of; without one istiod takes a node for the oldest there is. */
const ISTIO_VERSION = "1.26.0";

const TLS_MODE = "security.istio.io/tlsMode";

/** Metadata that are texts of the environment. */
const FROM_ENV: Readonly<Record<string, string>> = {
  MESH_ID: "ISTIO_META_MESH_ID",
  NETWORK: "ISTIO_META_NETWORK",
  WORKLOAD_NAME: "ISTIO_META_WORKLOAD_NAME",
  NODE_NAME: "ISTIO_META_NODE_NAME",
};

export function istioNode(facts: IstioNodeFacts): IstioNode {
  const { namespace, name, address, labels, serviceAccount, locality, member, generator, env } = facts;
  const given = Object.entries(FROM_ENV).flatMap(([key, variable]) => (env[variable] ? [[key, env[variable]]] : []));
  return {
    id: `sidecar~${address}~${name}.${namespace}~${namespace}.svc.cluster.local`,
    cluster: `${labels["app"] ?? name}.${namespace}`,
    ...(locality && {
      locality: { region: locality.region, zone: locality.zone, sub_zone: locality.subZone },
    }),
    metadata: {
      NAMESPACE: namespace,
      CLUSTER_ID: clusterOf(env),
      ISTIO_VERSION,
      INSTANCE_IPS: address,
      LABELS: { ...labels, ...(member && { [TLS_MODE]: "istio" }) },
      ...(serviceAccount !== undefined && { SERVICE_ACCOUNT: serviceAccount }),
      ...(generator && { GENERATOR: generator }),
      ...Object.fromEntries(given),
    },
  };
}

export function clusterOf(env: IstioNodeFacts["env"]): string {
  return env["ISTIO_META_CLUSTER_ID"] || DEFAULT_CLUSTER;
}
