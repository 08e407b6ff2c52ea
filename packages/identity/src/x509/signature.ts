/** Signatures by node:crypto, and the keys that are good enough to bear an identity. */

import { createPrivateKey, generateKeyPairSync, type KeyObject, sign, verify } from "node:crypto";
import { bitStringBytes, type Der, decode, itemsOf, nullValue, oid, sequence, TAG } from "./der.js";
import { OID } from "./oids.js";
import { SvidProblem } from "./svid-problem.js";

/** Elliptic curves by OpenSSL's name. P-256 is what the mesh makes; the others are taken. */
const CURVES: Readonly<Record<string, string>> = { prime256v1: "P-256", secp384r1: "P-384", secp521r1: "P-521" };
const LEAST_RSA_BITS = 2_048;

interface Scheme {
  readonly keyType: string;
  /** Undefined where the scheme hashes by itself. */
  readonly hash: string | undefined;
}

const SCHEMES: ReadonlyMap<string, Scheme> = new Map([
  [OID.ecdsaSha256, { keyType: "ec", hash: "sha256" }],
  [OID.ecdsaSha384, { keyType: "ec", hash: "sha384" }],
  [OID.ecdsaSha512, { keyType: "ec", hash: "sha512" }],
  [OID.rsaSha256, { keyType: "rsa", hash: "sha256" }],
  [OID.rsaSha384, { keyType: "rsa", hash: "sha384" }],
  [OID.rsaSha512, { keyType: "rsa", hash: "sha512" }],
  [OID.ed25519, { keyType: "ed25519", hash: undefined }],
]);

/** A new P-256 key: 60 us. */
export function generateKey(): KeyObject {
  return generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
}

/** PKCS#8 in PEM. Whoever calls this keeps it out of logs, errors and answers. */
export function privateKeyPem(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }) as string;
}

/** @throws {SvidProblem} without a word of the text in it */
export function readPrivateKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new SvidProblem("the private key cannot be read: a PEM without a passphrase is expected");
  }
}

/** First byte of the point of a key on a curve, as it is written: 4 whole, 2 or 3 compressed, 6 or 7 hybrid (SEC 1, 2.3.3). */
export function pointForm(key: KeyObject): number {
  const what = "the public key";
  const [, point] = itemsOf(decode(key.export({ type: "spki", format: "der" }), what), TAG.sequence, what);
  return bitStringBytes(point, what)[0] ?? 0;
}

/** Read by OpenSSL, and by hardly anybody else. */
const HYBRID: ReadonlySet<number> = new Set([6, 7]);

/** @returns why the key cannot bear an identity, or undefined */
export function keyWeakness(key: KeyObject): string | undefined {
  const { namedCurve = "", modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === "ec" && namedCurve in CURVES) {
    return HYBRID.has(pointForm(key))
      ? "the point of its key is written in hybrid form, which RFC 5480 forbids"
      : undefined;
  }
  if (key.asymmetricKeyType === "ed25519") return undefined;
  if (key.asymmetricKeyType === "rsa")
    return modulusLength >= LEAST_RSA_BITS ? undefined : `an RSA key of ${modulusLength} bits is too short`;
  return `a key of type ${namedCurve || key.asymmetricKeyType} is not known here: P-256, P-384, P-521, Ed25519 or RSA`;
}

/** What this key signs with, as an AlgorithmIdentifier. */
export function algorithmOf(key: KeyObject): Der {
  if (key.asymmetricKeyType === "rsa") return sequence(oid(OID.rsaSha256), nullValue());
  if (key.asymmetricKeyType === "ed25519") return sequence(oid(OID.ed25519));
  return sequence(oid(key.asymmetricKeyDetails?.namedCurve === "secp384r1" ? OID.ecdsaSha384 : OID.ecdsaSha256));
}

export function signBytes(bytes: Uint8Array, key: KeyObject): Buffer {
  if (key.asymmetricKeyType === "ed25519") return sign(null, bytes, key);
  return sign(key.asymmetricKeyDetails?.namedCurve === "secp384r1" ? "sha384" : "sha256", bytes, key);
}

export function isKnownAlgorithm(algorithm: string): boolean {
  return SCHEMES.has(algorithm);
}

/** @param algorithm its object identifier */
export function isSignedBy(bytes: Uint8Array, signature: Uint8Array, algorithm: string, key: KeyObject): boolean {
  const scheme = SCHEMES.get(algorithm);
  if (scheme === undefined || scheme.keyType !== key.asymmetricKeyType) return false;
  try {
    return verify(scheme.hash, bytes, key, signature);
  } catch {
    return false;
  }
}
