/**
 * Names of a certificate: the value of its subjectAltName, in a leaf that is good in all else and signed by an intermediate that is
 * trusted. Whoever is taken for somebody has one URI, and OpenSSL reads the same.
 */

import { X509Certificate } from "node:crypto";
import type { Random } from "@inmesh/core";
import { checkSvid, trustOf } from "@inmesh/identity";
import { certificateOf } from "./certificates.js";
import { mutateDer } from "./der-mutator.js";
import { bytesOf, pkiBytes, pkiText, signedPart, TRUST_DOMAIN, tlv, WALL_TIME } from "./pki.js";
import type { InputTarget } from "./target.js";

const SAN = Buffer.from("0603551d11", "hex");
const CART = `spiffe://${TRUST_DOMAIN}/ns/shop/sa/cart`;
const EXTENSIONS = 0xa3;
const intermediate = bytesOf(pkiText("intermediate.pem"));
const trust = trustOf(new Map([[TRUST_DOMAIN, [pkiText("root.pem")]]]));
const [before, others] = leafWithoutNames();

const uri = (text: string): Buffer => tlv(0x86, Buffer.from(text, "latin1"));
const dns = (text: string): Buffer => tlv(0x82, Buffer.from(text, "latin1"));
const names = (...all: readonly Buffer[]): Buffer => tlv(0x30, Buffer.concat(all));
const WORDS = [
  uri(CART),
  uri("spiffe://other.local/a"),
  dns("cart"),
  tlv(0x87, Buffer.of(10, 0, 0, 1)),
  tlv(0xa4, names()),
];
const INSIDE = [
  "spiffe://",
  "URI:",
  ", URI:",
  "\0",
  "\n",
  "%2f",
  "/ns/",
  "..",
  "@",
  ":443",
  "?",
  "#",
  "\u0080",
  "\u0086",
];

export const SAN_VALUE: InputTarget = {
  seeds: [
    names(uri(CART)),
    names(uri(CART), dns("cart.shop")),
    names(dns("a"), uri(CART), tlv(0x87, Buffer.of(1, 2, 3, 4))),
  ],
  words: [...WORDS, ...INSIDE],
  mutate: (input: Uint8Array, random: Random) => mutateDer(input, random, WORDS),
  judge(input) {
    const der = certificateNaming(input);
    const { peer, refusal = "" } = checkSvid([der, intermediate], trust, WALL_TIME);
    if (peer === undefined) return { accepted: false, said: refusal.replace(/[0-9a-f]{6,}|"[^"]*"|\d+/g, "") };
    const { subjectAltName = "" } = new X509Certificate(der);
    // A name that could be read as several stands in quotes.
    const uris = subjectAltName
      .replace(/:"(?:[^"\\]|\\.)*"/g, ":")
      .split(", ")
      .filter((name) => name.startsWith("URI:"));
    const right = uris.length === 1 && uris[0] === `URI:${peer.id}` && peer.trustDomain === TRUST_DOMAIN;
    const said = `${subjectAltName.split(", ").length} ${peer.namespace}`;
    return { accepted: true, said, ...(!right && { fault: `taken for ${peer.id}; OpenSSL reads ${subjectAltName}` }) };
  },
};

/** @param value of the extension: GeneralNames, or what stands in their place */
export function certificateNaming(value: Uint8Array): Buffer {
  const extension = tlv(0x30, Buffer.concat([SAN, Buffer.of(1, 1, 0xff), tlv(0x04, Buffer.from(value))]));
  const extensions = tlv(EXTENSIONS, tlv(0x30, Buffer.concat([...others, extension])));
  return certificateOf(tlv(0x30, Buffer.concat([...before, extensions])));
}

/** What stands before its extensions, and those of them that are not its names. */
function leafWithoutNames(): readonly [before: readonly Buffer[], others: readonly Buffer[]] {
  const [leaf = Buffer.of()] = pkiBytes("leaf-ours");
  const fields = children(signedPart(leaf));
  const holder = fields.find((field) => field[0] === EXTENSIONS) ?? Buffer.of();
  const list = children(children(holder)[0] ?? Buffer.of());
  return [fields.filter((field) => field !== holder), list.filter((extension) => !extension.includes(SAN))];
}

/** The values in a constructed one. */
function children(der: Buffer): readonly Buffer[] {
  const found: Buffer[] = [];
  for (let at = headOf(der); at < der.length; ) {
    const rest = der.subarray(at);
    const head = headOf(rest);
    const length = head === 2 ? (rest[1] ?? 0) : rest.readUIntBE(2, head - 2);
    found.push(rest.subarray(0, head + length));
    at += head + length;
  }
  return found;
}

function headOf(der: Buffer): number {
  const first = der[1] ?? 0;
  return first < 0x80 ? 2 : 2 + (first & 0x7f);
}
