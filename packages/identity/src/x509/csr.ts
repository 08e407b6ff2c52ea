/** Certificate requests, PKCS#10 (RFC 2986): a key says that it is there. Names in it are a wish, which nobody grants. */

import { createPublicKey, type KeyObject } from "node:crypto";
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
  itemsOf,
  oid,
  oidOf,
  sequence,
  set,
  TAG,
} from "./der.js";
import { OID } from "./oids.js";
import { CERTIFICATE_REQUEST, formatPem, parsePem } from "./pem.js";
import { algorithmOf, isSignedBy, keyWeakness, signBytes } from "./signature.js";
import { SvidProblem } from "./svid-problem.js";

/** In bytes. One of ours has 250. */
const MOST_BYTES = 8_192;
const WHAT = "the certificate request";

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
  checkName(subject);
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
  return key;
}

/** RDNSequence: not used, but somebody else may have to read the request as well. */
function checkName(name: Der | undefined): void {
  for (const part of itemsOf(name, TAG.sequence, "its subject")) {
    const pairs = itemsOf(part, TAG.set, "its subject");
    if (pairs.length === 0) throw new SvidProblem("its subject is not well formed");
    for (const pair of pairs) {
      const [type, value, ...rest] = itemsOf(pair, TAG.sequence, "its subject");
      oidOf(type, "its subject");
      if (value === undefined || rest.length > 0) throw new SvidProblem("its subject is not well formed");
    }
  }
}

function checkAttribute(item: Der): void {
  const [type, values, ...rest] = itemsOf(item, TAG.sequence, "an attribute of it");
  oidOf(type, "an attribute of it");
  if (itemsOf(values, TAG.set, "an attribute of it").length === 0 || rest.length > 0)
    throw new SvidProblem("an attribute of it is not well formed");
}
