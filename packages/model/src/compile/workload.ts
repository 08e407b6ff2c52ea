/** WorkloadEntries as workloads, alone or inside a ServiceEntry. policy-semantics §3.2. */

import type { WorkloadEntrySpec } from "../kind/workload-entry.js";
import type { Locality, Workload } from "../snapshot/workload.js";
import { TOPOLOGY } from "./topology.js";

/** Of a workload that has no field for it, with dots for slashes: `eu.eu-a.s1`. */
const LOCALITY_LABEL = "istio-locality";

/** What a document says of one that takes TLS of the mesh. Written by people; on what registers itself it has no say. */
const TLS_MODE_LABEL = { name: "security.istio.io/tlsMode", value: "istio" };

/** @param labels of the document, which win over those of its spec */
export function entryWorkload(
  name: string,
  namespace: string,
  spec: WorkloadEntrySpec,
  labels: Readonly<Record<string, string>> = {},
): Workload {
  const { address = "", ports = {}, network, weight, serviceAccount } = spec;
  const merged = { ...spec.labels, ...labels };
  const locality = spec.locality || merged[LOCALITY_LABEL]?.replaceAll(".", "/");
  return {
    name,
    namespace,
    address,
    ports: Object.entries(ports).map(([portName, number]) => ({ name: portName, number })),
    labels: { ...merged, ...(network && { [TOPOLOGY.network]: network }) },
    ...(locality && { locality: parseLocality(locality) }),
    weight: weight || 1,
    ...(serviceAccount && { serviceAccount }),
    ...(merged[TLS_MODE_LABEL.name] === TLS_MODE_LABEL.value && { member: true }),
    healthy: true,
  };
}

/** `region/zone/subZone`; what is not written is empty. */
export function parseLocality(text: string): Locality {
  const [region = "", zone = "", subZone = ""] = text.split("/");
  return { region, zone, subZone };
}
