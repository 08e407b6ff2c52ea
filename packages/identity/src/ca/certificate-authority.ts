/**
 * An authority that holds its keys in memory: requests in, short-lived leaves out. Who may be called what is decided by
 * whoever calls it: the id comes from the authenticated caller, names in the request are passed over.
 */

import { createPublicKey, type KeyObject } from "node:crypto";
import { parseSpiffeId } from "@inmesh/model";
import { buildCertificate, type Issuer, issuerOf } from "../x509/build-certificate.js";
import { type Certificate, certificatePem } from "../x509/certificate.js";
import { readCsr } from "../x509/csr.js";
import { CERTIFICATE, formatPem } from "../x509/pem.js";
import { SvidProblem } from "../x509/svid-problem.js";

/** What an authority is at a time. Replaced whole when it rotates. */
export interface AuthorityMaterial {
  /** Whose workloads it names; the first one is the own one. */
  readonly trustDomains: readonly string[];
  /** Of the certificate that signs. */
  readonly key: KeyObject;
  /** The certificate that signs first, then what leads to a root, without the root. */
  readonly chain: readonly [Certificate, ...Certificate[]];
  /** All that are trusted at the moment: during a rotation the old one and the new one. */
  readonly roots: readonly Certificate[];
  /** A leaf lives no longer. In ms. */
  readonly maxTtlMs: number;
}

export interface IssuedCertificate {
  /** PEM: leaf first, then intermediates, without the root. */
  readonly certificateChain: string;
  /** Roots in PEM by trust domain, as of now. */
  readonly bundles: ReadonlyMap<string, readonly string[]>;
  /** In lower-case hex. */
  readonly serial: string;
  readonly spiffeId: string;
  /** Wall time, ms since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
}

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;
/** What a leaf lives when nobody says. */
export const DEFAULT_TTL_MS = DAY_MS;
/** A leaf holds since a little before it was made, for clocks that are behind. */
export const BACKDATED_MS = 120_000;
/** Shorter, and it would have to be renewed before it arrived. */
export const LEAST_TTL_MS = 1_000;

export class CertificateAuthority {
  readonly #wallTime: () => number;
  readonly #issuer: Issuer;
  readonly #issuers: string;
  readonly material: AuthorityMaterial;
  readonly bundles: ReadonlyMap<string, readonly string[]>;

  /** @throws {SvidProblem} when key and certificate do not belong together, or the certificate is none of an authority */
  constructor(material: AuthorityMaterial, wallTime: () => number) {
    const { key, chain, roots, trustDomains } = material;
    const [signer] = chain;
    if (!createPublicKey(key).equals(signer.publicKey))
      throw new SvidProblem("the key of the authority is not the one in its certificate");
    if (signer.authority?.is !== true) throw new SvidProblem("the certificate of the authority is one of a workload");
    this.#wallTime = wallTime;
    this.#issuer = issuerOf(signer, key);
    this.#issuers = chain.map(certificatePem).join("");
    this.material = material;
    const pems = roots.map(certificatePem);
    this.bundles = new Map(trustDomains.map((domain) => [domain, pems]));
  }

  /**
   * @param csr PEM
   * @param spiffeId who the caller is, as it was authenticated
   * @param ttlMs cut to what the authority allows, and to its own end
   * @throws {SvidProblem}
   */
  sign(csr: string, spiffeId: string, ttlMs = DEFAULT_TTL_MS): IssuedCertificate {
    return this.signKey(readCsr(csr), spiffeId, ttlMs);
  }

  /** As `sign`, for a key whose owner proved in another way to have it: this process itself. */
  signKey(publicKey: KeyObject, spiffeId: string, ttlMs = DEFAULT_TTL_MS): IssuedCertificate {
    const { trustDomains, chain, maxTtlMs } = this.material;
    const peer = parseSpiffeId(spiffeId);
    if (peer === undefined || peer.principal === peer.trustDomain)
      throw new SvidProblem(`${JSON.stringify(spiffeId)} is no SPIFFE id of a workload`);
    if (!trustDomains.includes(peer.trustDomain))
      throw new SvidProblem(
        `this authority is of ${trustDomains.join(", ")}; it does not name workloads of ${peer.trustDomain}`,
      );
    const now = this.#wallTime();
    const [signer] = chain;
    const at = (time: number) => new Date(time).toISOString();
    if (now < signer.notBefore)
      throw new SvidProblem(
        `the certificate of the authority is not valid before ${at(signer.notBefore)}, and the clock here says ${at(now)}: set the clock right`,
      );
    if (!(ttlMs >= LEAST_TTL_MS)) throw new SvidProblem(`a certificate cannot live for ${ttlMs} ms`);
    const notAfter = wholeSecond(Math.min(now + Math.min(ttlMs, maxTtlMs), ...chain.map((issuer) => issuer.notAfter)));
    if (notAfter <= now)
      throw new SvidProblem(
        `the certificate of the authority expired at ${at(Math.min(...chain.map((issuer) => issuer.notAfter)))}: run inmesh ca rotate`,
      );
    const notBefore = wholeSecond(Math.max(now - BACKDATED_MS, signer.notBefore));
    const { der, serial } = buildCertificate({ name: "", publicKey, uri: spiffeId, notBefore, notAfter }, this.#issuer);
    const certificateChain = formatPem(CERTIFICATE, der) + this.#issuers;
    return { certificateChain, bundles: this.bundles, serial, spiffeId, notBefore, notAfter };
  }
}

/** What a certificate can say. */
export function wholeSecond(wallTime: number): number {
  return Math.floor(wallTime / 1_000) * 1_000;
}
