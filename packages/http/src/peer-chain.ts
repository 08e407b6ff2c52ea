/** The certificates of a peer, as far as node:tls shows them. */

import type { DetailedPeerCertificate } from "node:tls";

/**
 * Leaf first, up to the root in the store, which is its own issuer; the leaf alone where no more is shown.
 * @param most certificates that are followed: a loop has no end
 */
export function peerChain(leaf: DetailedPeerCertificate, most: number): readonly DetailedPeerCertificate[] {
  const chain = [leaf];
  for (let at = leaf; chain.length < most; ) {
    const { issuerCertificate: issuer } = at;
    if (issuer?.raw === undefined || issuer.fingerprint256 === at.fingerprint256) break;
    chain.push(issuer);
    at = issuer;
  }
  return chain;
}
