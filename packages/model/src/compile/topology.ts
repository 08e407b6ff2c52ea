/** Where a workload runs, as labels: subsets and locality preferences name them like any other label. */

import type { Locality, Workload } from "../snapshot/workload.js";
import type { Labels } from "./labels.js";

export const TOPOLOGY = {
  region: "topology.kubernetes.io/region",
  zone: "topology.kubernetes.io/zone",
  subZone: "topology.istio.io/subzone",
  network: "topology.istio.io/network",
  host: "kubernetes.io/hostname",
} as const;

export function topologyLabels(locality: Locality | undefined): Labels {
  const { region, zone, subZone } = locality ?? {};
  return {
    ...(region && { [TOPOLOGY.region]: region }),
    ...(zone && { [TOPOLOGY.zone]: zone }),
    ...(subZone && { [TOPOLOGY.subZone]: subZone }),
  };
}

/** Its own, and its locality, which subsets may name and nobody writes twice. */
export function endpointLabels({ labels, locality }: Pick<Workload, "labels" | "locality">): Labels {
  return locality === undefined ? labels : { ...labels, ...topologyLabels(locality) };
}
