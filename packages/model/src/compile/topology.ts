/** Where a workload runs, as labels: subsets and locality preferences name them like any other label. */

import type { Locality } from "../snapshot/workload.js";
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
