/** Makes certificates: RFC 5280 as `openssl verify -x509_strict` reads it, and the X.509-SVID profile. */

import { createHash, type KeyObject, randomBytes } from "node:crypto";
import type { Certificate } from "./certificate.js";
import {
  bitString,
  bitStringBytes,
  type Der,
  decode,
  encode,
  explicit,
  implicit,
  integer,
  itemsOf,
  octetString,
  oid,
  sequence,
  set,
  TAG,
  text,
  time,
  trueValue,
} from "./der.js";
import { OID } from "./oids.js";
import { algorithmOf, signBytes } from "./signature.js";

/** Who signs, prepared once. */
export interface Issuer {
  readonly name: Der;
  readonly keyId: Buffer;
  readonly key: KeyObject;
  readonly algorithm: Der;
}

export interface CertificateRequest {
  /** Common name; the empty text makes an empty subject, as leaves have it. */
  readonly name: string;
  readonly publicKey: KeyObject;
  /** The only alternative name; none for an authority that signs for several trust domains. */
  readonly uri?: string;
  /** Wall time, ms since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Of an authority: how many may follow below. Undefined: a leaf. */
  readonly pathLength?: number;
  /** @default 128 random bits */
  readonly serial?: Buffer;
}

export interface BuiltCertificate {
  readonly der: Buffer;
  /** In lower-case hex without leading zeros, as `Certificate` has it. */
  readonly serial: string;
}

/** @param spki of the public key, in DER */
export function keyIdOf(spki: Buffer): Buffer {
  const [, key] = itemsOf(decode(spki, "the public key"), TAG.sequence, "the public key");
  // RFC 7093 §2: the leftmost 160 bits of SHA-256.
  return createHash("sha256").update(bitStringBytes(key, "the public key")).digest().subarray(0, 20);
}

export function subjectOf(name: string): Der {
  if (name === "") return sequence();
  const part = (type: string, value: string) => set(sequence(oid(type), text(TAG.utf8String, value)));
  return sequence(part(OID.organization, "inmesh"), part(OID.commonName, name));
}

/** @param certificate the issuer's own */
export function issuerOf({ der, keyId, publicKey }: Certificate, key: KeyObject): Issuer {
  const [tbs] = itemsOf(decode(der, "the certificate"), TAG.sequence, "the certificate");
  const name = itemsOf(tbs, TAG.sequence, "the certificate")[5] as Der; // it was read before
  const spki = () => publicKey.export({ type: "spki", format: "der" });
  return { name, keyId: keyId ?? keyIdOf(spki()), key, algorithm: algorithmOf(key) };
}

/** @param signer a key of its own makes it sign itself */
export function buildCertificate(request: CertificateRequest, signer: Issuer | KeyObject): BuiltCertificate {
  const spki = request.publicKey.export({ type: "spki", format: "der" });
  const keyId = keyIdOf(spki);
  const issuer = "keyId" in signer ? signer : selfIssuer(request.name, keyId, signer);
  const serial = request.serial ?? randomSerial();
  const subject = subjectOf(request.name);
  const der = assemble(
    { ...request, serial, subject, spki, extensions: extensionsOf(request, keyId, issuer.keyId) },
    issuer,
  );
  return { der, serial: serial.toString("hex") };
}

export interface CertificateFields {
  readonly serial: Buffer;
  readonly subject: Der;
  readonly notBefore: number;
  readonly notAfter: number;
  /** The public key, in DER. */
  readonly spki: Buffer;
  readonly extensions: readonly Der[];
}

/** Whatever the fields say, signed. */
export function assemble(fields: CertificateFields, issuer: Issuer): Buffer {
  const tbs = sequence(
    explicit(0, integer(Buffer.of(2))),
    integer(fields.serial),
    issuer.algorithm,
    issuer.name,
    sequence(time(fields.notBefore), time(fields.notAfter)),
    fields.subject,
    decode(fields.spki, "the public key"),
    explicit(3, sequence(...fields.extensions)),
  );
  return encode(sequence(tbs, issuer.algorithm, bitString(signBytes(encode(tbs), issuer.key))));
}

function selfIssuer(name: string, keyId: Buffer, key: KeyObject): Issuer {
  return { name: subjectOf(name), keyId, key, algorithm: algorithmOf(key) };
}

export function extensionsOf(request: CertificateRequest, keyId: Buffer, issuerKeyId: Buffer): Der[] {
  const { pathLength, uri, name, publicKey } = request;
  const leaf = pathLength === undefined;
  const constraints = leaf ? sequence() : sequence(trueValue(), integer(Buffer.of(pathLength)));
  return [
    extension(OID.keyUsage, keyUsage(leaf, publicKey), true),
    ...(leaf ? [extension(OID.extendedKeyUsage, sequence(oid(OID.serverAuth), oid(OID.clientAuth)))] : []),
    extension(OID.basicConstraints, constraints, true),
    extension(OID.subjectKeyId, octetString(keyId)),
    extension(OID.authorityKeyId, sequence(implicit(0, issuerKeyId))),
    // Critical where the subject is empty, RFC 5280 §4.2.1.6.
    ...(uri === undefined ? [] : [extension(OID.subjectAltName, namesOf(uri), name === "")]),
  ];
}

export function namesOf(uri: string): Der {
  return sequence(implicit(6, Buffer.from(uri, "latin1")));
}

export function extension(id: string, value: Der, critical = false): Der {
  return sequence(oid(id), ...(critical ? [trueValue()] : []), octetString(encode(value)));
}

/** A leaf signs handshakes, with an RSA key it may be sent a key in old ones; an authority signs certificates. */
function keyUsage(leaf: boolean, key: KeyObject): Der {
  if (!leaf) return bitString(Buffer.of(0b0000_0110), 1);
  return key.asymmetricKeyType === "rsa" ? bitString(Buffer.of(0b1010_0000), 5) : bitString(Buffer.of(0b1000_0000), 7);
}

/** Positive and of full length, so that it reads the same everywhere. RFC 5280 §4.1.2.2: at most 20 bytes. */
function randomSerial(): Buffer {
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  return serial;
}
