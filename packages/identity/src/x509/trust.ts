/** Roots by trust domain. A root vouches for its own domain only: a federated one must not name workloads of ours. mtls.md §4 */

import type { PeerIdentity } from "@inmesh/model";
import { type Certificate, parseChain } from "./certificate.js";
import { SvidProblem } from "./svid-problem.js";

/** Bundles, parsed once per generation of them. */
export interface Trust {
  /** Trust domains whose workloads are known here: the own one first, then its aliases and those federated with. */
  readonly trustDomains: readonly string[];
  readonly anchors: ReadonlyMap<string, readonly Certificate[]>;
  /** Intermediates that stand in a bundle: they lead to an anchor, and are none. */
  readonly intermediates: ReadonlyMap<string, readonly Certificate[]>;
  /** Of `checkSvid`, by the bytes of a chain: who was accepted, and between which times that holds. */
  readonly accepted: Map<
    string,
    { readonly peer: PeerIdentity; readonly notBefore: number; readonly notAfter: number }
  >;
  /** Issuers that were read, by their bytes. */
  readonly issuers: Map<string, Certificate>;
}

/**
 * @param bundles PEM texts by trust domain
 * @param trustDomains the own one first; one without a bundle (an alias) is vouched for by the roots of the own one
 * @throws {SvidProblem} for a bundle that cannot be read
 */
export function trustOf(
  bundles: ReadonlyMap<string, readonly string[]>,
  trustDomains: readonly string[] = [...bundles.keys()],
): Trust {
  const [own = ""] = trustDomains;
  const parsed = new Map<string, readonly Certificate[]>();
  for (const [domain, pems] of bundles)
    parsed.set(
      domain,
      pems.flatMap((pem) => parseChain(pem, `the bundle of ${domain}`)),
    );
  const of = (domain: string) => parsed.get(domain) ?? parsed.get(own) ?? [];
  const pick = (anchors: boolean) =>
    new Map(trustDomains.map((domain) => [domain, of(domain).filter((root) => isAnchor(root) === anchors)]));
  return { trustDomains, anchors: pick(true), intermediates: pick(false), accepted: new Map(), issuers: new Map() };
}

/** As OpenSSL has it: only what signed itself ends a path. */
function isAnchor(certificate: Certificate): boolean {
  return certificate.selfIssued && certificate.x509.verify(certificate.publicKey);
}

/** @returns the same certificates once each @throws {SvidProblem} */
export function uniqueRoots(pems: readonly string[]): readonly Certificate[] {
  const found = new Map(pems.flatMap((pem) => parseChain(pem, "the bundle")).map((root) => [root.fingerprint, root]));
  if (found.size === 0) throw new SvidProblem("the bundle holds no root");
  return [...found.values()];
}
