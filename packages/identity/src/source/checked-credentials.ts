/**
 * Credentials that somebody gave → credentials that can be used, or the reason why not: a pair that was written half, a
 * chain that leads nowhere, a certificate of nobody, must not replace what works (pitfalls T2).
 */

import type { Credentials, GivenCredentials } from "@inmesh/core";
import type { PeerIdentity } from "@inmesh/model";
import { type Certificate, certificatePem, parseChain } from "../x509/certificate.js";
import { checkCertificates, identityOf } from "../x509/check-svid.js";
import { privateKeyPem, readPrivateKey } from "../x509/signature.js";
import { trustOf } from "../x509/trust.js";

export type CheckedCredentials = Omit<Credentials, "generation">;

/** A certificate may begin this much later than now: clocks differ, and peers judge it by theirs. In ms. */
export const CLOCK_TOLERANCE_MS = 5 * 60_000;

/** @throws {Error} one sentence, without anything of the key */
export function checkCredentials(given: GivenCredentials, wallMs: number): CheckedCredentials {
  const all = parseChain(given.certificateChain, "the certificate");
  const leaf = all[0]!; // a text without one was refused
  const key = readPrivateKey(given.privateKey);
  if (!leaf.x509.checkPrivateKey(key)) throw new Error("certificate and private key do not belong together");
  const [self, noName] = identityOf(leaf);
  if (self === undefined) throw new Error(noName);
  const bundles = bundlesOf(given.roots, self);
  // Peers have the root; one that is sent along is only weight.
  const chain = all.filter((each, index) => index === 0 || !isSelfSigned(each));
  const judgedAt = Math.max(wallMs, Math.min(leaf.notBefore, wallMs + CLOCK_TOLERANCE_MS));
  const { refusal } = checkCertificates(chain, trustOf(bundles, [self.trustDomain]), judgedAt);
  if (refusal !== undefined) throw new Error(refusal);
  return {
    self,
    certificateChain: chain.map(certificatePem).join(""),
    privateKey: privateKeyPem(key),
    bundles,
    notBefore: Math.max(...chain.map(({ notBefore }) => notBefore)),
    notAfter: Math.min(...chain.map(({ notAfter }) => notAfter)),
  };
}

/** One text per root, so that each stands in a bundle once. */
function bundlesOf(roots: GivenCredentials["roots"], { trustDomain }: PeerIdentity): Credentials["bundles"] {
  const texts = typeof roots === "string" ? [[trustDomain, roots] as const] : [...roots];
  const bundles = new Map<string, readonly string[]>();
  for (const [domain, pem] of texts) {
    const pems = parseChain(pem, `the roots of ${domain}`).map(certificatePem);
    bundles.set(domain, [...new Set(pems)]);
  }
  return bundles;
}

function isSelfSigned({ selfIssued, x509, publicKey }: Certificate): boolean {
  return selfIssued && x509.verify(publicKey);
}
