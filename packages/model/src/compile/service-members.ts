/** Which workloads stand behind a service. policy-semantics §3.1, §3.2. */

import type { ServiceSpec } from "../kind/service.js";
import type { ServiceEntrySpec } from "../kind/service-entry.js";
import type { Resource } from "../resource.js";
import type { Service } from "../snapshot/workload.js";
import { getOrMake } from "./get-or-make.js";
import { qualifiedHost } from "./host.js";
import { allowsLabels, hasLabels } from "./labels.js";
import { serviceHost } from "./services.js";
import { entryWorkload } from "./workload.js";
import type { Members, WorkloadIndex } from "./workload-index.js";

/**
 * - implicit: its leases.
 * - Kubernetes Service: workloads its selector chooses; also leases that bear its name and contradict no label of the
 *   selector, since a process on a laptop has the name but seldom the labels of a pod. Without selector: those leases.
 * - ServiceEntry: its endpoints, or what its selector chooses, or, with neither, leases that bear its host.
 *
 * @param resource that declares it; undefined for an implicit one
 * @param remembered workloads that a document's own endpoints were made into
 */
export function serviceMembers(
  service: Service,
  resource: Resource | undefined,
  workloads: WorkloadIndex,
  remembered: WeakMap<Resource, Members>,
): Members {
  const { implicit, namespace, name, host } = service;
  if (implicit) return workloads.ofService(namespace, name);
  if (resource?.kind === "Service") return kubernetesMembers(service, resource.spec as ServiceSpec, workloads);
  if (resource?.kind !== "ServiceEntry") return [];
  const { endpoints = [], workloadSelector } = resource.spec as ServiceEntrySpec;
  if (endpoints.length > 0) {
    return getOrMake(remembered, resource, () =>
      endpoints.map((endpoint, index) => entryWorkload(`${resource.name}-${index}`, resource.namespace, endpoint)),
    );
  }
  const selector = workloadSelector?.labels ?? {};
  if (Object.keys(selector).length > 0) return workloads.selected(namespace, selector);
  const [shortName = "", ofNamespace = ""] = host.split(".");
  return serviceHost(shortName, ofNamespace) === host ? workloads.ofService(ofNamespace, shortName) : [];
}

function kubernetesMembers({ namespace, name }: Service, spec: ServiceSpec, workloads: WorkloadIndex): Members {
  if (spec.type === "ExternalName") {
    return [entryWorkload(name, namespace, { address: qualifiedHost(spec.externalName ?? "", namespace) })];
  }
  const leases = workloads.ofService(namespace, name);
  const selector = spec.selector ?? {};
  if (Object.keys(selector).length === 0) return leases;
  const selected = workloads.selected(namespace, selector);
  const named = leases.filter(({ labels }) => allowsLabels(labels, selector) && !hasLabels(labels, selector));
  return named.length === 0 ? selected : [...selected, ...named];
}
