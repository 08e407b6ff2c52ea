/**
 * One certificate, read twice: by OpenSSL (which will judge signatures, and whose handshake it came through) and by us
 * for what Node does not tell: each alternative name, key usage, path length. What either refuses is refused.
 */

import { type KeyObject, X509Certificate } from "node:crypto";
import { messageOf } from "@inmesh/core";
import { bitStringBytes, bytesOf, type Der, decode, isTagged, itemsOf, oidOf, TAG, timeOf } from "./der.js";
import { type Extensions, readExtensions, URI_NAME } from "./extensions.js";
import { CERTIFICATE, formatPem, parseCertificates } from "./pem.js";
import { isKnownAlgorithm, keyWeakness } from "./signature.js";
import { SvidProblem } from "./svid-problem.js";

export interface Certificate extends Extensions {
  readonly der: Buffer;
  readonly x509: X509Certificate;
  readonly publicKey: KeyObject;
  /** SHA-256 of the DER, in lower-case hex. */
  readonly fingerprint: string;
  /** In lower-case hex without leading zeros. */
  readonly serial: string;
  /** Wall time, ms since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly uris: readonly string[];
  /** Issuer and subject are the same name. */
  readonly selfIssued: boolean;
}

/** In bytes. A leaf has 400 to 700. */
const MOST_BYTES = 16_384;
const WHAT = "the certificate";

/** @throws {SvidProblem} */
export function readCertificate(der: Uint8Array): Certificate {
  if (der.length > MOST_BYTES) throw new SvidProblem(`a certificate of ${der.length} bytes, more than ${MOST_BYTES}`);
  const [tbs, algorithm, signature, ...rest] = itemsOf(decode(der, WHAT), TAG.sequence, WHAT);
  bitStringBytes(signature, "its signature");
  if (rest.length > 0) throw new SvidProblem(`${WHAT} is not well formed`);
  const fields = [...itemsOf(tbs, TAG.sequence, WHAT)];
  const version = bytesOf(itemsOf(fields.shift(), 0, "its version", true)[0], TAG.integer, "its version");
  if (version.length !== 1 || version[0] !== 2) throw new SvidProblem("the certificate is not of version 3");
  const serial = serialOf(fields.shift());
  const [innerAlgorithm, issuer, validity, subject] = fields.splice(0, 5);
  const [from, to, ...more] = itemsOf(validity, TAG.sequence, "its validity");
  if (more.length > 0) throw new SvidProblem("its validity is not well formed");
  const signedBy = algorithmId(algorithm);
  if (signedBy !== algorithmId(innerAlgorithm)) throw new SvidProblem("it names two different signature algorithms");
  if (!isKnownAlgorithm(signedBy)) throw new SvidProblem(`it is signed by an algorithm not taken here: ${signedBy}`);
  while (isTagged(fields[0], 1, true) || isTagged(fields[0], 2, true)) fields.shift(); // unique ids, of X.509 v2
  const extensions = fields.length > 0 ? itemsOf(fields.shift(), 3, "its extensions", true) : [];
  if (fields.length > 0 || extensions.length > 1) throw new SvidProblem(`${WHAT} is not well formed`);
  const x509 = openssl(der);
  const publicKey = keyOf(x509);
  const read = readExtensions(extensions[0]);
  // Where an extension that is not read here makes no sense, OpenSSL takes nobody for an authority.
  if (x509.ca !== maySignOthers(read))
    throw new SvidProblem(`OpenSSL takes it for ${x509.ca ? "an" : "no"} authority, against what it says of itself`);
  return {
    ...read,
    der: x509.raw,
    x509,
    publicKey,
    fingerprint: x509.fingerprint256.replaceAll(":", "").toLowerCase(),
    serial,
    notBefore: timeOf(from, "the begin of its validity"),
    notAfter: timeOf(to, "the end of its validity"),
    uris: read.names.filter(({ tag }) => tag === URI_NAME).map(({ text }) => text),
    selfIssued: sameValue(issuer, subject),
  };
}

/** As OpenSSL means it: an authority whose key usage, where it has one, lets it sign certificates. */
function maySignOthers({ authority, keyUsage }: Extensions): boolean {
  return authority?.is === true && keyUsage?.uses.has("keyCertSign") !== false;
}

/** Certificates of a PEM text, in its order. @param what for errors @throws {SvidProblem} */
export function parseChain(pem: string, what = "the chain"): readonly Certificate[] {
  return parseCertificates(pem, what).map((der, index) => {
    try {
      return readCertificate(der);
    } catch (error) {
      const reason = messageOf(error);
      throw new SvidProblem(`${what}: certificate ${index + 1} cannot be used: ${reason}`);
    }
  });
}

export function certificatePem({ der }: Pick<Certificate, "der">): string {
  return formatPem(CERTIFICATE, der);
}

function openssl(der: Uint8Array): X509Certificate {
  let x509: X509Certificate;
  try {
    x509 = new X509Certificate(der);
  } catch (error) {
    throw new SvidProblem(`OpenSSL cannot read it: ${messageOf(error)}`);
  }
  // PEM would be taken here as well, and bytes after the end be passed over.
  if (!x509.raw.equals(der)) throw new SvidProblem("OpenSSL reads another certificate out of it");
  return x509;
}

function keyOf(x509: X509Certificate): KeyObject {
  let key: KeyObject;
  try {
    key = x509.publicKey;
  } catch {
    throw new SvidProblem("its public key cannot be read");
  }
  const weakness = keyWeakness(key);
  if (weakness !== undefined) throw new SvidProblem(weakness);
  return key;
}

function serialOf(value: Der | undefined): string {
  const bytes = bytesOf(value, TAG.integer, "its serial number");
  if (bytes.length === 0 || bytes.length > 21) throw new SvidProblem("its serial number is not well formed");
  return bytes.toString("hex").replace(/^0+(?=.)/, "");
}

function algorithmId(value: Der | undefined): string {
  return oidOf(itemsOf(value, TAG.sequence, "its signature algorithm")[0], "its signature algorithm");
}

/** Both are canonical, so equal values have equal content. */
function sameValue(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
