/** SPIFFE ids as Istio writes them: `spiffe://cluster.local/ns/shop/sa/cart`. policy-semantics §4.1; SPIFFE-ID specification §2. */

/** Whoever is at the other end of a connection, by a certificate that was verified. */
export interface PeerIdentity {
  /** The whole id. */
  readonly id: string;
  /** As policies write it: the id without `spiffe://`. */
  readonly principal: string;
  readonly trustDomain: string;
  /** Empty where the path is not of the form `/ns/<namespace>/sa/<service account>`. */
  readonly namespace: string;
  readonly serviceAccount: string;
  /** The id in its certificate, where that is of another shape than the mesh's: Consul's. Absent where it is `id`. */
  readonly presented?: string;
}

export const SPIFFE_SCHEME = "spiffe://";
/** In bytes, of the whole id and of its trust domain (SPIFFE-ID §2.3). */
const MOST = { id: 2_048, trustDomain: 255 };
const TRUST_DOMAIN = /^[a-z0-9._-]+$/;
const SEGMENT = /^[A-Za-z0-9._-]+$/;
const WORKLOAD = /^\/ns\/([^/]+)\/sa\/([^/]+)$/;

/** @returns undefined for what is no SPIFFE id: upper case in the domain, ports, user info, empty or dot segments, escapes, query or fragment */
export function parseSpiffeId(id: string): PeerIdentity | undefined {
  if (id.length > MOST.id || !id.startsWith(SPIFFE_SCHEME)) return undefined;
  const principal = id.slice(SPIFFE_SCHEME.length);
  const slash = principal.indexOf("/");
  const trustDomain = slash < 0 ? principal : principal.slice(0, slash);
  const path = slash < 0 ? "" : principal.slice(slash);
  if (trustDomain.length > MOST.trustDomain || !TRUST_DOMAIN.test(trustDomain)) return undefined;
  const segments = path === "" ? [] : path.slice(1).split("/");
  if (!segments.every((segment) => SEGMENT.test(segment) && segment !== "." && segment !== "..")) return undefined;
  const [, namespace = "", serviceAccount = ""] = WORKLOAD.exec(path) ?? [];
  return { id, principal, trustDomain, namespace, serviceAccount };
}

export function spiffeId(trustDomain: string, namespace: string, serviceAccount: string): string {
  return `${SPIFFE_SCHEME}${trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
}
