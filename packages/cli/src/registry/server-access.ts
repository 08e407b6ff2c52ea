/** Whether the services that a request goes to would let it in: their own policy, which the caller does not know. */

import { type Authorization, authorize, type Explanation } from "@inmesh/core";
import { type ClientContext, type Snapshot, spiffeId } from "@inmesh/model";
import { clientContext } from "./client-context.js";
import type { OpenRegistry } from "./open-registry.js";

export interface ServerAccess extends Pick<Authorization, "allowed" | "status" | "decidedBy" | "reason"> {
  /** `namespace/service` that is called. */
  readonly to: string;
  /** Who it sees; empty: a caller in plaintext. */
  readonly principal: string;
}

/** @returns one for each service that is a process of the mesh and that policy is known for; none where nothing is sent */
export async function serverAccess(
  registry: OpenRegistry,
  client: ClientContext,
  { mesh, services }: Snapshot,
  { destinations, request, outcome }: Explanation,
): Promise<readonly ServerAccess[]> {
  if (outcome !== "route") return [];
  // A control plane tells of a server's own policy to who has its address.
  if (registry.profile === "envoy" || registry.profile === "grpc") return [];
  const account = client.serviceAccount ?? client.service;
  const found: ServerAccess[] = [];
  for (const host of new Set(destinations.map((destination) => destination.host))) {
    const service = services.get(host);
    const destination = destinations.find((each) => each.host === host);
    if (service === undefined || destination === undefined || service.location === "external") continue;
    const workload = clientContext(
      `${service.namespace}/${host.split(".", 1)[0]}`,
      client.namespace,
      registry.view.leases,
    );
    const { snapshot } = await registry.viewOf(workload);
    if (!snapshot.security.access.active && snapshot.security.peer.source === null) continue;
    const identified = account !== "" && (destination.tls?.identities ?? []).length > 0;
    const principal = identified ? spiffeId(mesh.trustDomain, client.namespace, account).slice("spiffe://".length) : "";
    const listening = registry.view.leases.find(
      ({ namespace, service: name, ports }) =>
        namespace === workload.namespace && name === workload.service && ports.length > 0,
    );
    const { method, path, authority, headers } = request;
    const { allowed, status, decidedBy, reason } = authorize(snapshot, {
      ...{ method, path, host: authority, headers, principal },
      ...(listening?.ports[0] && { port: listening.ports[0].number }),
    });
    found.push({ to: `${workload.namespace}/${workload.service}`, principal, allowed, status, decidedBy, reason });
  }
  return found;
}
