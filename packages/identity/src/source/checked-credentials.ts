/**
 * Credentials that somebody gave → credentials that can be used, or the reason why not: a pair that was written half, a
 * chain that leads nowhere, a certificate of nobody, must not replace what works (pitfalls T2).
 */

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import type { Credentials } from "@inmesh/core";
import { type PeerIdentity, parseSpiffeId } from "@inmesh/model";
import type { GivenCredentials } from "./credential-source.js";

export type CheckedCredentials = Omit<Credentials, "generation">;

/** A certificate may begin this much later than now: clocks differ. In ms. */
export const CLOCK_TOLERANCE_MS = 5 * 60_000;
/** A chain that is longer is no chain of a workload. */
const MOST_CERTIFICATES = 10;
const MOST_ROOTS = 1_000;

const BEGIN = "-----BEGIN CERTIFICATE-----";
const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** @throws {Error} one sentence, without anything of the key */
export function checkCredentials(given: GivenCredentials, wallMs: number): CheckedCredentials {
  const [leaf, ...above] = certificatesOf(given.certificateChain, "the certificate", MOST_CERTIFICATES);
  if (leaf === undefined) throw new Error("there is no certificate in it");
  const key = keyOf(given.privateKey);
  if (!leaf.checkPrivateKey(key)) throw new Error("certificate and private key do not belong together");
  const self = nameOf(leaf);
  const bundles = bundlesOf(given.roots, self.trustDomain);
  const intermediates = above.filter((each) => each.raw.compare(leaf.raw) !== 0 && !isSelfSigned(each));
  checkChain([leaf, ...intermediates], bundles.get(self.trustDomain) ?? [], self.trustDomain);
  const [notBefore, notAfter] = validityOf([leaf, ...intermediates], wallMs);
  return {
    self,
    certificateChain: [leaf, ...intermediates].map(String).join(""),
    privateKey: key.export({ type: "pkcs8", format: "pem" }).toString(),
    bundles: new Map([...bundles].map(([domain, roots]) => [domain, roots.map(String)])),
    notBefore,
    notAfter,
  };
}

/** Each certificate of a PEM text. @throws {Error} for text that is none, or holds one that cannot be read */
function certificatesOf(pem: string, what: string, most: number): X509Certificate[] {
  const blocks = pem.match(BLOCK) ?? [];
  if (blocks.length !== pem.split(BEGIN).length - 1) throw new Error(`${what} ends in the middle: it is half written`);
  if (blocks.length > most) throw new Error(`${what} holds ${blocks.length} certificates, more than ${most}`);
  return blocks.map((block) => {
    try {
      return new X509Certificate(block);
    } catch {
      throw new Error(`${what} holds a block that is no certificate; it may be half written`);
    }
  });
}

function keyOf(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    // OpenSSL's own message may quote what it was given.
    throw new Error("the private key cannot be read: it is no PEM, is half written, or wants a passphrase");
  }
}

function nameOf(leaf: X509Certificate): PeerIdentity {
  const names = (leaf.subjectAltName ?? "").split(", ").filter((name) => name.startsWith("URI:"));
  if (names.length !== 1) throw new Error(`the certificate has ${names.length} URI names; an identity is exactly one`);
  const id = names[0]!.slice("URI:".length); // one, as just counted
  const self = parseSpiffeId(id);
  if (self === undefined) throw new Error(`the certificate names ${JSON.stringify(id)}, which is no SPIFFE id`);
  if (leaf.ca) throw new Error(`the certificate of ${id} is one of an authority, not of a workload`);
  return self;
}

function bundlesOf(roots: GivenCredentials["roots"], trustDomain: string): Map<string, X509Certificate[]> {
  const texts = typeof roots === "string" ? [[trustDomain, roots] as const] : [...roots];
  const bundles = new Map<string, X509Certificate[]>();
  for (const [domain, pem] of texts) {
    const found = certificatesOf(pem, `the roots of ${domain}`, MOST_ROOTS);
    const unlike = new Map(found.map((root) => [root.fingerprint256, root]));
    if (unlike.size > 0) bundles.set(domain, [...unlike.values()]);
  }
  if (!bundles.has(trustDomain)) throw new Error(`there is no root of its own trust domain ${trustDomain}`);
  return bundles;
}

/** Every certificate must be signed by the next, and the last by a root: what TLS peers will find. */
function checkChain(chain: readonly X509Certificate[], roots: readonly X509Certificate[], trustDomain: string): void {
  for (const [index, certificate] of chain.entries()) {
    const next = chain[index + 1];
    const issuers = next === undefined ? roots : [next];
    if (issuers.some((issuer) => certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey))) continue;
    throw new Error(
      next === undefined
        ? `no root of ${trustDomain} has signed it: the roots are others than those of its authority, or an intermediate is missing`
        : `certificate ${index + 2} of the chain has not signed certificate ${index + 1}`,
    );
  }
}

/** Of all of them together. */
function validityOf(chain: readonly X509Certificate[], wallMs: number): [notBefore: number, notAfter: number] {
  const notBefore = Math.max(...chain.map(({ validFrom }) => Date.parse(validFrom)));
  const notAfter = Math.min(...chain.map(({ validTo }) => Date.parse(validTo)));
  if (!(notBefore < notAfter)) throw new Error("its chain is valid at no time");
  if (notAfter <= wallMs) {
    throw new Error(`it expired at ${at(notAfter)}; the clock of this machine says ${at(wallMs)}`);
  }
  if (notBefore > wallMs + CLOCK_TOLERANCE_MS) {
    throw new Error(`it is valid from ${at(notBefore)}; the clock of this machine says ${at(wallMs)}`);
  }
  return [notBefore, notAfter];
}

function isSelfSigned(certificate: X509Certificate): boolean {
  return certificate.checkIssued(certificate) && certificate.verify(certificate.publicKey);
}

function at(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
