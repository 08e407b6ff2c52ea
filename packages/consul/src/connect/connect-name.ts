/**
 * Consul's SPIFFE ids, `spiffe://<cluster id>.consul/ns/<namespace>/dc/<datacenter>/svc/<service>`, as the mesh's. The
 * service is what counts, as for intentions: its datacenter is not looked at. The namespace in the id is Consul's, which
 * outside Consul Enterprise is always `default`; the mesh's stands in the service's name (service-name.ts).
 */

import { type PeerIdentity, parseSpiffeId, SPIFFE_SCHEME, spiffeId } from "@inmesh/model";
import { serviceOf } from "../service-name.js";

const SERVICE = /^\/ns\/default\/dc\/[^/]+\/svc\/([^/]+)$/;

/** Whether a certificate is one of Consul's CA. */
export function isConnectId(id = ""): boolean {
  const peer = parseSpiffeId(id);
  return peer !== undefined && SERVICE.test(peer.principal.slice(peer.trustDomain.length));
}

/**
 * @param home namespace of the mesh for services that say nothing of one
 * @returns undefined for an id of another shape, and for a service that the mesh cannot name
 */
export function connectName(peer: PeerIdentity, trustDomain: string, home: string): PeerIdentity | undefined {
  const path = peer.principal.slice(peer.trustDomain.length);
  const named = SERVICE.exec(path)?.[1];
  const ref = named === undefined ? undefined : serviceOf(named, home);
  if (ref === undefined) return undefined;
  const id = spiffeId(trustDomain, ref.namespace, ref.service);
  const principal = id.slice(SPIFFE_SCHEME.length);
  return { id, principal, trustDomain, namespace: ref.namespace, serviceAccount: ref.service, presented: peer.id };
}
