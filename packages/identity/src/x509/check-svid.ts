/**
 * Whose certificate is this? The X.509-SVID rules (SPIFFE X509-SVID §3-5, RFC 5280 §6) for a whole path: names, uses,
 * validity by the given clock, signatures, path length, and a root of the bundle of the leaf's own trust domain.
 */

import type { PeerVerdict } from "@inmesh/core";
import { messageOf } from "@inmesh/core";
import { type PeerIdentity, parseSpiffeId } from "@inmesh/model";
import { type Certificate, readCertificate } from "./certificate.js";
import { constraintProblem } from "./name-constraints.js";
import { OID } from "./oids.js";
import { quoted } from "./svid-problem.js";
import type { Trust } from "./trust.js";

/** Certificates between and with leaf and root. */
const MOST_CERTIFICATES = 10;

/**
 * @param chain DER, leaf first; what follows is used as far as it leads on, whether or not the root is in it
 * @param wallTime ms since 1970
 */
export function checkSvid(chain: readonly Uint8Array[], trust: Trust, wallTime: number): PeerVerdict {
  if (chain.length === 0) return { refusal: "it showed no certificate" };
  if (chain.length > MOST_CERTIFICATES)
    return { refusal: `it showed ${chain.length} certificates, more than ${MOST_CERTIFICATES}` };
  const keys = chain.map((der) => Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString("latin1"));
  const known = trust.accepted.get(keys.join());
  if (known !== undefined && wallTime >= known.notBefore && wallTime <= known.notAfter) return { peer: known.peer };
  try {
    const certificates = chain.map((der, at) => (at === 0 ? readCertificate(der) : readIssuer(der, keys[at]!, trust))); // as many keys
    const { peer, path, refusal } = judge(certificates, trust, wallTime);
    if (peer === undefined) return { refusal };
    const notBefore = Math.max(...path.map((certificate) => certificate.notBefore));
    const notAfter = Math.min(...path.map((certificate) => certificate.notAfter));
    remember(trust.accepted, keys.join(), { peer, notBefore, notAfter });
    return { peer };
  } catch (error) {
    return { refusal: messageOf(error) };
  }
}

/**
 * The rules of a leaf alone, where its way to a root is not known: TLS has verified that there is one.
 * @param der of the leaf
 */
export function checkLeaf(der: Uint8Array, trust: Trust, wallTime: number): PeerVerdict {
  try {
    const leaf = readCertificate(der);
    const [peer, reason] = identityOf(leaf);
    if (peer === undefined) return { refusal: reason };
    const refusal =
      leafProblem(leaf) ?? domainProblem(peer, trust) ?? validityProblem(leaf, "its certificate", wallTime);
    return refusal === undefined ? { peer } : { refusal };
  } catch (error) {
    return { refusal: messageOf(error) };
  }
}

/** As `checkSvid`, for certificates that were read. */
export function checkCertificates(chain: readonly Certificate[], trust: Trust, wallTime: number): PeerVerdict {
  const { peer, refusal } = judge(chain, trust, wallTime);
  return peer === undefined ? { refusal } : { peer };
}

type Judgement =
  | { readonly peer: PeerIdentity; readonly path: readonly Certificate[]; readonly refusal?: undefined }
  | { readonly peer?: undefined; readonly path?: undefined; readonly refusal: string };

function judge(chain: readonly Certificate[], trust: Trust, wallTime: number): Judgement {
  const [leaf, ...others] = chain;
  if (leaf === undefined) return { refusal: "it showed no certificate" };
  const [peer, reason] = identityOf(leaf);
  if (peer === undefined) return { refusal: reason };
  const refusal = leafProblem(leaf) ?? domainProblem(peer, trust) ?? validityProblem(leaf, "its certificate", wallTime);
  if (refusal !== undefined) return { refusal };
  const anchors = trust.anchors.get(peer.trustDomain) ?? [];
  const helpers = trust.intermediates.get(peer.trustDomain) ?? [];
  const found = findPath([leaf], { others: [...others, ...helpers], anchors, wallTime, peer, tried: 0 });
  return typeof found === "string" ? { refusal: found } : { peer, path: found };
}

/** Issuers are few and come with every handshake: each is read once. */
function readIssuer(der: Uint8Array, key: string, { issuers }: Trust): Certificate {
  const known = issuers.get(key);
  if (known !== undefined) return known;
  const read = readCertificate(der);
  remember(issuers, key, read);
  return read;
}

/** Of each kind, per generation of roots. The oldest goes first. */
const MOST_REMEMBERED = 1_000;

function remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
  if (map.size >= MOST_REMEMBERED) map.delete(map.keys().next().value ?? "");
  map.set(key, value);
}

/** The one URI of a leaf. */
export function identityOf({ uris }: Certificate): readonly [PeerIdentity] | readonly [undefined, string] {
  const [uri = "", ...more] = uris;
  if (uri === "") return [undefined, "its certificate names no URI: an identity is one spiffe:// URI"];
  if (more.length > 0)
    return [
      undefined,
      `its certificate names ${uris.length} URIs, an identity is exactly one: ${quoted(uris.join(" "))}`,
    ];
  const peer = parseSpiffeId(uri);
  if (peer === undefined) return [undefined, `its certificate names ${quoted(uri)}, which is no SPIFFE id`];
  if (peer.principal === peer.trustDomain) return [undefined, `${uri} is a trust domain, not a workload of one`];
  return [peer];
}

function leafProblem(leaf: Certificate): string | undefined {
  const { authority, keyUsage, extendedKeyUsage } = leaf;
  if (authority?.is === true) return "its certificate is one of an authority, not of a workload";
  if (keyUsage === undefined) return "its certificate has no key usage: digitalSignature is required";
  if (!keyUsage.critical) return "the key usage of its certificate is not critical";
  if (!keyUsage.uses.has("digitalSignature")) return "its certificate may not sign: digitalSignature is required";
  for (const use of ["keyCertSign", "cRLSign"] as const)
    if (keyUsage.uses.has(use)) return `its certificate has ${use}, which a workload must not have`;
  if (extendedKeyUsage && ![OID.serverAuth, OID.clientAuth].every((use) => extendedKeyUsage.includes(use)))
    return "its certificate is not for servers and clients alike: the extended key usage must name both, or be absent";
  return unknownProblem(leaf);
}

function domainProblem({ id, trustDomain }: PeerIdentity, { trustDomains, anchors }: Trust): string | undefined {
  if (!trustDomains.includes(trustDomain))
    return `${id} is of trust domain ${trustDomain}, which is not known here (known: ${trustDomains.join(", ")})`;
  return (anchors.get(trustDomain) ?? []).length === 0 ? `no root of trust domain ${trustDomain} is known` : undefined;
}

interface PathSearch {
  readonly others: readonly Certificate[];
  readonly anchors: readonly Certificate[];
  readonly wallTime: number;
  readonly peer: PeerIdentity;
  /** Certificates that were tried: many that sign each other in a circle have more ways than anybody should walk. */
  tried: number;
}

/** A chain of ten, each with a helper, has fewer. */
const MOST_TRIED = 100;

/**
 * From the leaf upwards: an anchor where one signed, else the next certificate that did.
 * @returns the way with its anchor, or why there is none
 */
function findPath(path: readonly Certificate[], search: PathSearch): readonly Certificate[] | string {
  const { others, anchors, wallTime, peer } = search;
  const top = path.at(-1) as Certificate; // starts with the leaf
  let reason: string | undefined;
  for (const anchor of anchors) {
    if (anchor.fingerprint === top.fingerprint && path.length > 1) return path;
    if (!isIssuedBy(top, anchor)) continue;
    const problem = issuerProblem(anchor, path, "the root", wallTime);
    if (problem === undefined) return [...path, anchor];
    reason = problem;
  }
  if (path.length >= MOST_CERTIFICATES)
    return `the chain of ${peer.id} is longer than ${MOST_CERTIFICATES} certificates`;
  for (const issuer of others) {
    search.tried += 1;
    if (search.tried > MOST_TRIED) return `the chain of ${peer.id} has too many ways to a root`;
    if (path.includes(issuer) || !isIssuedBy(top, issuer)) continue;
    const problem = issuerProblem(issuer, path, "an intermediate", wallTime);
    const found = problem ?? findPath([...path, issuer], search);
    if (typeof found !== "string") return found;
    reason ??= found;
  }
  return reason ?? `its certificate does not lead to a root of trust domain ${peer.trustDomain}`;
}

function isIssuedBy({ x509 }: Certificate, issuer: Certificate): boolean {
  return x509.checkIssued(issuer.x509) && x509.verify(issuer.publicKey);
}

function issuerProblem(
  issuer: Certificate,
  path: readonly Certificate[],
  what: string,
  wallTime: number,
): string | undefined {
  const below = path.slice(1).filter(({ selfIssued }) => !selfIssued).length;
  if (issuer.authority?.is !== true) return `${what} of its chain is no authority`;
  if (issuer.keyUsage !== undefined && !issuer.keyUsage.uses.has("keyCertSign"))
    return `${what} of its chain may not sign certificates`;
  if (below > issuer.authority.pathLength)
    return `${what} of its chain allows ${issuer.authority.pathLength} intermediates below it, there are ${below}`;
  const uses = issuer.extendedKeyUsage;
  if (uses && ![OID.serverAuth, OID.clientAuth].every((use) => uses.includes(use)))
    return `${what} of its chain is not for servers and clients alike`;
  return (
    validityProblem(issuer, `${what} of its chain`, wallTime) ??
    unknownProblem(issuer) ??
    constraintProblem(issuer, path)
  );
}

function validityProblem({ notBefore, notAfter }: Certificate, what: string, wallTime: number): string | undefined {
  const at = (time: number) => new Date(time).toISOString().replace(".000Z", "Z");
  if (wallTime < notBefore) return `${what} is not valid before ${at(notBefore)}, it is ${at(wallTime)} here`;
  return wallTime > notAfter ? `${what} expired at ${at(notAfter)}, it is ${at(wallTime)} here` : undefined;
}

function unknownProblem({ unknown: [first] }: Certificate): string | undefined {
  return first === undefined ? undefined : `a critical extension of its chain is not known here: ${first}`;
}
