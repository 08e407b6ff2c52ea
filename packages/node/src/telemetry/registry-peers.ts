/** Joins the certificate of a caller with what the registry knows: its labels are its instances', as far as they agree. */

import type { PeerIdentity, Service, Snapshot } from "@inmesh/model";
import { commonLabels, type PeerWorkloads, type WorkloadLabels, workloadLabels } from "@inmesh/telemetry";

export class RegistryPeers implements PeerWorkloads {
  readonly #store: { readonly current: Snapshot | undefined };

  constructor(store: { readonly current: Snapshot | undefined }) {
    this.#store = store;
  }

  get version(): number {
    return this.#store.current?.version ?? 0;
  }

  find(peer: PeerIdentity): WorkloadLabels | undefined {
    const { current } = this.#store;
    const { namespace, serviceAccount } = peer;
    if (current === undefined || serviceAccount === "") return undefined;
    // A workload that names no account has its service's name for one.
    const ownHost = `${serviceAccount}.${namespace}.svc.${current.mesh.domain}`;
    const own = current.services.get(ownHost);
    if (own !== undefined) {
      const found = instancesOf(current, own, peer);
      if (found.length > 0) return commonLabels(found);
    }
    const found: WorkloadLabels[] = [];
    for (const service of current.services.values()) {
      if (service.namespace === namespace && service !== own) found.push(...instancesOf(current, service, peer));
    }
    return found.length === 0 ? undefined : commonLabels(found);
  }
}

function instancesOf(snapshot: Snapshot, service: Service, { serviceAccount }: PeerIdentity): WorkloadLabels[] {
  const [port] = service.ports;
  const cluster = snapshot.cluster(`outbound|${port?.number ?? 80}||${service.host}`);
  if (cluster === undefined) return [];
  return snapshot
    .endpoints(cluster)
    .endpoints.filter((endpoint) => (endpoint.serviceAccount ?? service.name) === serviceAccount)
    .map(({ labels }) => workloadLabels(labels, service.name, service.namespace));
}
