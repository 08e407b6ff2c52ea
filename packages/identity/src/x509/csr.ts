/** Certificate requests, PKCS#10 (RFC 2986): a key says that it is there. Names in it are a wish, which nobody grants. */

import { createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { extension, namesOf } from "./build-certificate.js";
import {
  bitString,
  bitStringBytes,
  bytesOf,
  type Der,
  decode,
  encode,
  explicit,
  integer,
  isTagged,
  itemsOf,
  oid,
  oidOf,
  sequence,
  set,
  TAG,
  time,
} from "./der.js";
import { OID } from "./oids.js";
import { CERTIFICATE_REQUEST, formatPem, parsePem } from "./pem.js";
import { algorithmOf, isSignedBy, keyWeakness, pointForm, signBytes } from "./signature.js";
import { SvidProblem } from "./svid-problem.js";

/** In bytes. One of ours has 250. */
const MOST_BYTES = 8_192;
const WHAT = "the certificate request";
/** See `pointForm`. */
const UNCOMPRESSED = 4;

/** @param uri told to authorities that want to see the name in it; ours take the caller's word, not this one's */
export function createCsr(key: KeyObject, { uri }: { readonly uri?: string } = {}): string {
  const spki = createPublicKey(key).export({ type: "spki", format: "der" });
  const wish =
    uri === undefined ? [] : [attribute(OID.extensionRequest, sequence(extension(OID.subjectAltName, namesOf(uri))))];
  const info = sequence(integer(Buffer.of(0)), sequence(), decode(spki, "the public key"), explicit(0, ...wish));
  const signed = sequence(info, algorithmOf(key), bitString(signBytes(encode(info), key)));
  return formatPem(CERTIFICATE_REQUEST, encode(signed));
}

/** @returns the key that signed it @throws {SvidProblem} */
export function readCsr(pem: string): KeyObject {
  const [block, ...more] = parsePem(pem, WHAT).filter(({ label }) => LABELS.has(label));
  if (block === undefined) throw new SvidProblem(`a PEM block CERTIFICATE REQUEST is expected`);
  if (more.length > 0) throw new SvidProblem(`${more.length + 1} requests stand in one text`);
  if (block.bytes.length > MOST_BYTES)
    throw new SvidProblem(`a request of ${block.bytes.length} bytes, more than ${MOST_BYTES}`);
  return readCsrBytes(block.bytes);
}

/** @throws {SvidProblem} */
export function readCsrBytes(der: Buffer): KeyObject {
  const [info, algorithm, signature, ...rest] = itemsOf(decode(der, WHAT), TAG.sequence, WHAT);
  const [version, subject, spki, attributes, ...more] = itemsOf(info, TAG.sequence, WHAT);
  const number = bytesOf(version, TAG.integer, WHAT);
  if (rest.length + more.length > 0 || number.length !== 1 || number[0] !== 0)
    throw new SvidProblem(`${WHAT} is not well formed`);
  checkName(subject, spki);
  for (const item of itemsOf(attributes, 0, WHAT, true)) checkAttribute(item);
  const key = publicKeyOf(spki);
  const [scheme, parameters, ...others] = itemsOf(algorithm, TAG.sequence, "its signature algorithm");
  if (others.length > 0) throw new SvidProblem("its signature algorithm is not well formed");
  if (parameters !== undefined) bytesOf(parameters, TAG.null, "its signature algorithm");
  const bytes = bitStringBytes(signature, "its signature");
  if (!isSignedBy(encode(info as Der), bytes, oidOf(scheme, "its signature algorithm"), key))
    throw new SvidProblem("the certificate request is not signed by the key in it");
  return key;
}

/** What old tools write. */
const LABELS: ReadonlySet<string> = new Set([CERTIFICATE_REQUEST, "NEW CERTIFICATE REQUEST"]);

function attribute(id: string, value: Der): Der {
  return sequence(oid(id), set(value));
}

function publicKeyOf(spki: Der | undefined): KeyObject {
  if (spki === undefined) throw new SvidProblem(`${WHAT} is not well formed`);
  let key: KeyObject;
  try {
    key = createPublicKey({ key: encode(spki), format: "der", type: "spki" });
  } catch {
    throw new SvidProblem("the public key of the request cannot be read");
  }
  const weakness = keyWeakness(key);
  if (weakness !== undefined) throw new SvidProblem(weakness);
  // It would stand in the certificate as it stands here, and some who have to read that know no other form.
  if (key.asymmetricKeyType === "ec" && pointForm(key) !== UNCOMPRESSED)
    throw new SvidProblem("the point of its key is compressed, and is expected whole");
  return key;
}

/**
 * Not used, but somebody else may have to read the request as well. OpenSSL is strict about names, so it is asked: a
 * certificate that nobody signed with that subject is read, or not.
 */
function checkName(name: Der | undefined, spki: Der | undefined): void {
  if (itemsOf(name, TAG.sequence, "its subject").length === 0 || name === undefined || spki === undefined) return;
  const algorithm = sequence(oid(OID.ecdsaSha256));
  const times = sequence(time(0), time(0));
  const version = explicit(0, integer(Buffer.of(2)));
  const tbs = sequence(version, integer(Buffer.of(1)), algorithm, sequence(), times, name, spki);
  try {
    new X509Certificate(encode(sequence(tbs, algorithm, bitString(Buffer.of(0)))));
  } catch {
    throw new SvidProblem("its subject is not well formed");
  }
}

function checkAttribute(item: Der): void {
  const what = "an attribute of it";
  const [type, values, ...rest] = itemsOf(item, TAG.sequence, what);
  oidOf(type, what);
  const found = itemsOf(values, TAG.set, what);
  // Lists of extensions, passwords, names: text or a sequence, whose content nobody looks at.
  if (found.length === 0 || rest.length > 0 || !found.every((value) => VALUE_TAGS.some((tag) => isTagged(value, tag))))
    throw new SvidProblem(`${what} is not well formed`);
  for (const value of found)
    if (value.constructed !== isTagged(value, TAG.sequence)) throw new SvidProblem(`${what} is not well formed`);
}

const VALUE_TAGS = [TAG.sequence, TAG.utf8String, TAG.printableString, TAG.ia5String] as const;
