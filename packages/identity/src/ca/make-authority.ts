/** New roots and intermediates. */

import { createPublicKey, type KeyObject, randomBytes } from "node:crypto";
import { buildCertificate, issuerOf } from "../x509/build-certificate.js";
import { type Certificate, readCertificate } from "../x509/certificate.js";
import { generateKey } from "../x509/signature.js";
import {
  type AuthorityMaterial,
  CertificateAuthority,
  DAY_MS,
  DEFAULT_TTL_MS,
  HOUR_MS,
  wholeSecond,
} from "./certificate-authority.js";

export interface KeyAndCertificate {
  readonly key: KeyObject;
  readonly certificate: Certificate;
}

export const ROOT_LIFE_MS = 3_650 * DAY_MS;
export const INTERMEDIATE_LIFE_MS = 365 * DAY_MS;
/** Authorities hold since an hour before they were made: a clock that is set right by an hour stops nobody. */
const BACKDATED_MS = HOUR_MS;

/** @param wallTime ms since 1970 */
export function makeRoot(trustDomain: string, wallTime: number, lifeMs = ROOT_LIFE_MS): KeyAndCertificate {
  const key = generateKey();
  const request = {
    name: `${trustDomain} root ${distinction()}`.slice(-MOST_NAME),
    publicKey: createPublicKey(key),
    notBefore: wholeSecond(wallTime - BACKDATED_MS),
    notAfter: wholeSecond(wallTime + lifeMs),
    pathLength: 1,
  };
  return { key, certificate: readCertificate(buildCertificate(request, key).der) };
}

/** @param root whose key signs; the intermediate does not outlive it */
export function makeIntermediate(
  trustDomain: string,
  root: KeyAndCertificate,
  wallTime: number,
  lifeMs = INTERMEDIATE_LIFE_MS,
): KeyAndCertificate {
  const key = generateKey();
  const request = {
    name: `${trustDomain} intermediate ${distinction()}`.slice(-MOST_NAME),
    publicKey: createPublicKey(key),
    notBefore: wholeSecond(Math.max(wallTime - BACKDATED_MS, root.certificate.notBefore)),
    notAfter: wholeSecond(Math.min(wallTime + lifeMs, root.certificate.notAfter)),
    pathLength: 0,
  };
  const { der } = buildCertificate(request, issuerOf(root.certificate, root.key));
  return { key, certificate: readCertificate(der) };
}

export interface NewAuthorityOptions {
  /** The own one first. */
  readonly trustDomains: readonly string[];
  /** Wall time, ms since 1970. */
  readonly wallTime: () => number;
  /** @default 24 hours */
  readonly maxTtlMs?: number;
}

/** An authority of its own root and intermediate, which nobody but this process has: for tests and single processes. */
export function createAuthority(options: NewAuthorityOptions): CertificateAuthority {
  const { trustDomains, wallTime, maxTtlMs = DEFAULT_TTL_MS } = options;
  const [own = "cluster.local"] = trustDomains;
  const root = makeRoot(own, wallTime());
  const { key, certificate } = makeIntermediate(own, root, wallTime());
  const material: AuthorityMaterial = { trustDomains, key, chain: [certificate], roots: [root.certificate], maxTtlMs };
  return new CertificateAuthority(material, wallTime);
}

/** RFC 5280: an upper bound of 64 characters. */
const MOST_NAME = 64;

/** Two authorities of one name would be taken for each other on the way up. */
function distinction(): string {
  return randomBytes(4).toString("hex");
}
