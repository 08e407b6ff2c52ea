/** The extensions of a certificate or a request (RFC 5280 §4.2) that decide what it may be used for. */

import { bitsOf, bytesOf, type Der, decode, isTagged, itemsOf, oidOf, TAG } from "./der.js";
import { OID } from "./oids.js";
import { quoted, SvidProblem } from "./svid-problem.js";

/** RFC 5280 §4.2.1.3, in the order of the bits. */
const KEY_USAGES = [
  "digitalSignature",
  "nonRepudiation",
  "keyEncipherment",
  "dataEncipherment",
  "keyAgreement",
  "keyCertSign",
  "cRLSign",
  "encipherOnly",
  "decipherOnly",
] as const;

export type KeyUsage = (typeof KEY_USAGES)[number];

export interface GeneralName {
  /** Of RFC 5280 §4.2.1.6: 1 mail, 2 DNS, 4 directory, 6 URI, 7 IP address … */
  readonly tag: number;
  /** One character per byte; empty for a kind that is not text. */
  readonly text: string;
}

export interface NameConstraints {
  readonly permitted: readonly GeneralName[];
  readonly excluded: readonly GeneralName[];
}

export interface Extensions {
  readonly names: readonly GeneralName[];
  /** Undefined without the extension. */
  readonly authority: { readonly is: boolean; readonly pathLength: number } | undefined;
  readonly keyUsage: { readonly uses: ReadonlySet<KeyUsage>; readonly critical: boolean } | undefined;
  /** Object identifiers. */
  readonly extendedKeyUsage: readonly string[] | undefined;
  readonly nameConstraints: NameConstraints | undefined;
  /** Subject key identifier. */
  readonly keyId: Buffer | undefined;
  /** Authority key identifier: the issuer's. */
  readonly issuerKeyId: Buffer | undefined;
  /** Object identifiers of extensions that must be understood and are not. */
  readonly unknown: readonly string[];
}

export const URI_NAME = 6;
export const DNS_NAME = 2;
const MAIL_NAME = 1;
const MOST_NAME_KIND = 8;
/** otherName, x400Address, directoryName, ediPartyName: of parts, where the others are bytes (RFC 5280 §4.2.1.6). */
const CONSTRUCTED_NAMES: ReadonlySet<number> = new Set([0, 3, 4, 5]);

/** @param list SEQUENCE OF Extension @throws {SvidProblem} */
export function readExtensions(list: Der | undefined): Extensions {
  const values = new Map<string, { readonly value: Buffer; readonly critical: boolean }>();
  const items = list === undefined ? [] : itemsOf(list, TAG.sequence, "the list of extensions");
  if (list !== undefined && items.length === 0) throw new SvidProblem("the list of extensions is empty");
  for (const item of items) {
    const [name, second, third, ...more] = itemsOf(item, TAG.sequence, "an extension");
    const id = oidOf(name, "the name of an extension");
    const hasFlag = isTagged(second, TAG.boolean);
    const flag = hasFlag ? bytesOf(second, TAG.boolean, `extension ${id}`) : undefined;
    if (flag !== undefined && (flag.length !== 1 || (flag[0] !== 0xff && flag[0] !== 0)))
      throw new SvidProblem(`extension ${id} is not well formed`);
    if (more.length > 0 || (!hasFlag && third !== undefined))
      throw new SvidProblem(`extension ${id} is not well formed`);
    const value = bytesOf(hasFlag ? third : second, TAG.octetString, `extension ${id}`);
    if (values.has(id)) throw new SvidProblem(`extension ${id} stands twice`);
    values.set(id, { value, critical: flag?.[0] === 0xff });
  }
  const read = <Value>(id: string, reader: (value: Buffer) => Value): Value | undefined => {
    const found = values.get(id);
    return found === undefined ? undefined : reader(found.value);
  };
  const uses = read(OID.keyUsage, keyUsages);
  return {
    names: read(OID.subjectAltName, (value) => generalNames(decode(value, WHAT.names), TAG.sequence, false)) ?? [],
    authority: read(OID.basicConstraints, basicConstraints),
    keyUsage: uses && { uses, critical: values.get(OID.keyUsage)?.critical === true },
    extendedKeyUsage: read(OID.extendedKeyUsage, extendedKeyUsages),
    nameConstraints: read(OID.nameConstraints, nameConstraints),
    keyId: read(OID.subjectKeyId, (value) => bytesOf(decode(value, WHAT.keyId), TAG.octetString, WHAT.keyId)),
    issuerKeyId: read(OID.authorityKeyId, authorityKeyId),
    unknown: [...values].filter(([id, { critical }]) => critical && !UNDERSTOOD.has(id)).map(([id]) => id),
  };
}

/** What each is called in an error. */
const WHAT = {
  names: "the list of alternative names",
  keyId: "the key identifier",
  issuerKeyId: "the key identifier of the issuer",
  keyUsage: "the key usage",
  extendedKeyUsage: "the extended key usage",
  basicConstraints: "the basic constraints",
  nameConstraints: "the list of name constraints",
};

/** Where critical. Key identifiers never are (RFC 5280 §4.2.1.1), and OpenSSL takes none that is. */
const UNDERSTOOD: ReadonlySet<string> = new Set([
  OID.subjectAltName,
  OID.basicConstraints,
  OID.keyUsage,
  OID.extendedKeyUsage,
  OID.nameConstraints,
]);

/** RFC 5280 §4.2.1.1; names and serial number of the issuer are looked at by OpenSSL. */
function authorityKeyId(value: Buffer): Buffer | undefined {
  const items = [...itemsOf(decode(value, WHAT.issuerKeyId), TAG.sequence, WHAT.issuerKeyId)];
  const id = isTagged(items[0], 0, true) ? bytesOf(items.shift(), 0, WHAT.issuerKeyId, true) : undefined;
  if (isTagged(items[0], 1, true)) generalNames(items.shift() as Der, 1, true);
  if (isTagged(items[0], 2, true)) bytesOf(items.shift(), 2, WHAT.issuerKeyId, true);
  if (items.length > 0) throw new SvidProblem(`${WHAT.issuerKeyId} is not well formed`);
  return id;
}

function keyUsages(value: Buffer): ReadonlySet<KeyUsage> {
  const bits = bitsOf(decode(value, WHAT.keyUsage), WHAT.keyUsage);
  return new Set(KEY_USAGES.filter((_, bit) => bits[bit] === true));
}

function extendedKeyUsages(value: Buffer): readonly string[] {
  const items = itemsOf(decode(value, WHAT.extendedKeyUsage), TAG.sequence, WHAT.extendedKeyUsage);
  return items.map((item) => oidOf(item, WHAT.extendedKeyUsage));
}

function basicConstraints(value: Buffer): NonNullable<Extensions["authority"]> {
  const what = WHAT.basicConstraints;
  const items = [...itemsOf(decode(value, what), TAG.sequence, what)];
  const flag = isTagged(items[0], TAG.boolean) ? bytesOf(items.shift(), TAG.boolean, what) : undefined;
  const length = items.length > 0 ? bytesOf(items.shift(), TAG.integer, what) : undefined;
  const is = flag?.[0] === 0xff;
  const flagFits = flag === undefined || (flag.length === 1 && (is || flag[0] === 0));
  // A path of 128 certificates is none; a length without an authority is a contradiction (RFC 5280 §4.2.1.9).
  const lengthFits = length === undefined || (is && length.length === 1 && (length[0] ?? 0x80) < 0x80);
  if (items.length > 0 || !flagFits || !lengthFits) throw new SvidProblem(`${what} are not well formed`);
  return { is, pathLength: length?.[0] ?? Number.POSITIVE_INFINITY };
}

function generalNames(value: Der, tag: number, context: boolean): readonly GeneralName[] {
  const items = itemsOf(value, tag, WHAT.names, context);
  if (items.length === 0) throw new SvidProblem(`${WHAT.names} is empty`);
  return items.map(generalName);
}

function generalName(item: Der): GeneralName {
  const tag: number = item.type;
  const isKnown = tag <= MOST_NAME_KIND && isTagged(item, tag, true);
  if (!isKnown || item.constructed !== CONSTRUCTED_NAMES.has(tag))
    throw new SvidProblem(`${WHAT.names} is not well formed`);
  if (tag !== URI_NAME && tag !== DNS_NAME && tag !== MAIL_NAME) return { tag, text: "" };
  const text = bytesOf(item, tag, WHAT.names, true).toString("latin1");
  if (!/^[\x20-\x7e]*$/.test(text)) throw new SvidProblem(`the alternative name ${quoted(text)} is not ASCII text`);
  return { tag, text };
}

function nameConstraints(value: Buffer): NameConstraints {
  const what = WHAT.nameConstraints;
  const subtrees = (tree: Der | undefined, tag: number): readonly GeneralName[] =>
    itemsOf(tree, tag, what, true).map((item) => {
      const [base, ...rest] = itemsOf(item, TAG.sequence, what);
      // minimum and maximum are not used in this profile (RFC 5280 §4.2.1.10).
      if (base === undefined || rest.length > 0) throw new SvidProblem(`${what} is not well formed`);
      return generalName(base);
    });
  const items = [...itemsOf(decode(value, what), TAG.sequence, what)];
  const permitted = isTagged(items[0], 0, true) ? subtrees(items.shift(), 0) : [];
  const excluded = isTagged(items[0], 1, true) ? subtrees(items.shift(), 1) : [];
  if (items.length > 0) throw new SvidProblem(`${what} is not well formed`);
  return { permitted, excluded };
}
