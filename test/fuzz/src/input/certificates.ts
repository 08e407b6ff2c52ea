/**
 * Certificates, requests for them, and the text they come in. What is refused is refused in words; what is taken is what
 * OpenSSL, asked in the same breath, takes for the same.
 */

import { X509Certificate } from "node:crypto";
import type { Random } from "@inmesh/core";
import { checkSvid, parseChain, readCertificate, readCsr, SvidProblem, trustOf } from "@inmesh/identity";
import { mutateDer } from "./der-mutator.js";
import { bytesOf, fixedKey, pkiBytes, pkiText, signed, signedPart, TRUST_DOMAIN, tlv, WALL_TIME } from "./pki.js";
import type { InputTarget, Verdict } from "./target.js";

const intermediate = bytesOf(pkiText("intermediate.pem"));
const trust = trustOf(new Map([[TRUST_DOMAIN, [pkiText("root.pem")]]]));

const extension = (id: string, value: Buffer, critical: boolean) =>
  tlv(
    0x30,
    Buffer.concat([
      tlv(0x06, Buffer.from(id, "hex")),
      critical ? Buffer.of(1, 1, 0xff) : Buffer.of(),
      tlv(0x04, value),
    ]),
  );
const names = (...uris: readonly string[]) => tlv(0x30, Buffer.concat(uris.map((uri) => tlv(0x86, Buffer.from(uri)))));
const CART = `spiffe://${TRUST_DOMAIN}/ns/shop/sa/cart`;

/** Pieces that mean something in a certificate. */
const WORDS: readonly (string | Uint8Array)[] = [
  CART,
  "spiffe://other.local/a",
  "\u0086",
  "\u0082",
  Buffer.of(0x30, 0x80),
  Buffer.of(0, 0),
  Buffer.of(0x05, 0),
  Buffer.of(1, 1, 0xff),
  Buffer.of(1, 1, 1),
  Buffer.of(3, 2, 7, 0x80),
  Buffer.of(3, 2, 1, 6),
  Buffer.from("551d11", "hex"),
  Buffer.from("551d0f", "hex"),
  Buffer.from("551d13", "hex"),
  "270101000000Z",
  "20600101000000Z",
  extension("551d11", names(CART), true),
  extension("551d11", names(CART, "spiffe://cluster.local/ns/shop/sa/admin"), false),
  extension("551d13", tlv(0x30, Buffer.of(1, 1, 0xff)), true),
  extension("551d0f", Buffer.of(3, 2, 1, 6), true),
  extension("551d25", tlv(0x30, tlv(0x06, Buffer.from("2b06010505070302", "hex"))), false),
  extension("551d1e", tlv(0x30, tlv(0xa0, tlv(0x30, tlv(0x86, Buffer.from("other.local"))))), true),
  extension("2a0304", Buffer.of(5, 0), true),
];

const VALUES = WORDS.filter((word) => typeof word !== "string");
const mutate = (input: Uint8Array, random: Random) => mutateDer(input, random, VALUES);

/** A refusal, or what else was thrown as the fault that it is. */
function refusal(error: unknown): Verdict {
  if (error instanceof SvidProblem)
    return { accepted: false, said: error.message.replace(/[0-9a-f]{6,}|"[^"]*"|\d+/g, "") };
  throw error;
}

/** Bytes of a whole certificate: the parser alone. */
export const CERTIFICATE: InputTarget = {
  seeds: [...pkiBytes("leaf-"), intermediate, bytesOf(pkiText("root.pem"))],
  words: WORDS,
  mutate,
  judge(input) {
    try {
      const read = readCertificate(input);
      const fault = differenceFrom(new X509Certificate(input), read);
      const { names: all, unknown, authority, keyUsage } = read;
      const said = `${all.map(({ tag }) => tag)} ${unknown.length} ${authority?.is} ${[...(keyUsage?.uses ?? [])]}`;
      return { accepted: true, said, ...(fault !== undefined && { fault }) };
    } catch (error) {
      return refusal(error);
    }
  },
};

/** What stands in a certificate, signed by an intermediate that is trusted, whatever it is: the rules of a path. */
export const SVID: InputTarget = {
  seeds: pkiBytes("leaf-").map(signedPart),
  words: WORDS,
  mutate,
  judge(input) {
    const der = certificateOf(input);
    const { peer, refusal: reason = "" } = checkSvid([der, intermediate], trust, WALL_TIME);
    if (peer === undefined) return { accepted: false, said: reason.replace(/[0-9a-f]{6,}|"[^"]*"|\d+/g, "") };
    const { subjectAltName = "", ca, validFrom, validTo } = new X509Certificate(der);
    const uris = subjectAltName.split(", ").filter((name) => name.includes("URI:"));
    const holds = Date.parse(validFrom) <= WALL_TIME && WALL_TIME <= Date.parse(validTo);
    const right =
      uris.length === 1 && uris[0] === `URI:${peer.id}` && peer.trustDomain === TRUST_DOMAIN && !ca && holds;
    const said = `${subjectAltName.split(", ").length} ${peer.namespace !== ""}`;
    return { accepted: true, said, ...(!right && { fault: `taken for ${peer.id}; OpenSSL reads ${subjectAltName}` }) };
  },
};

const requestKey = fixedKey("leaf");
const authorityKey = fixedKey("intermediate");

/** What stands in a request, signed by its own key. */
export const CSR: InputTarget = {
  seeds: pkiBytes("csr-").map(signedPart),
  words: WORDS,
  mutate,
  judge(input) {
    try {
      const key = readCsr(requestOf(input));
      const right = key.export({ type: "spki", format: "der" }).equals(OWN_SPKI);
      return {
        accepted: true,
        said: `${input.length >> 4}`,
        ...(!right && { fault: "it is the request of another key" }),
      };
    } catch (error) {
      return refusal(error);
    }
  },
};

const OWN_SPKI = new X509Certificate(pkiText("leaf-ours.pem")).publicKey.export({ type: "spki", format: "der" });

const CHAIN = pkiText("leaf-ours.pem") + pkiText("intermediate.pem");

/** PEM, with whatever stands between its blocks. */
export const PEM: InputTarget = {
  seeds: [CHAIN, `subject=\n${CHAIN.replaceAll("\n", "\r\n")}`, pkiText("root.pem")].map((text) => Buffer.from(text)),
  words: [
    "-----BEGIN CERTIFICATE-----\n",
    "-----END CERTIFICATE-----\n",
    "-----BEGIN PRIVATE KEY-----\n",
    "-----BEGIN TRUSTED CERTIFICATE-----\n",
    "Proc-Type: 4,ENCRYPTED\n",
    "-----",
    "\n",
    "\r\n",
    "\r",
    " ",
    "\t",
    "=",
    "==",
    "\0",
    "\u00a0",
    pkiText("root.pem"),
  ],
  judge(input) {
    const text = Buffer.from(input).toString("latin1");
    try {
      const chain = parseChain(text);
      const first = new X509Certificate(Buffer.from(text, "latin1"));
      const fault = first.raw.equals(chain[0]?.der ?? Buffer.of())
        ? undefined
        : "OpenSSL finds another certificate first";
      const said = `${chain.length} ${text.split("\n").length >> 3} ${/[^\n]{80}/.test(text)}`;
      return { accepted: true, said, ...(fault !== undefined && { fault }) };
    } catch (error) {
      return refusal(error);
    }
  },
};

/** @param part what is signed: TBSCertificate */
export function certificateOf(part: Uint8Array): Buffer {
  return signed(part, authorityKey);
}

/** @param part what is signed: CertificationRequestInfo */
export function requestOf(part: Uint8Array): string {
  const body = signed(part, requestKey)
    .toString("base64")
    .replace(/.{64}(?=.)/g, "$&\n");
  return `-----BEGIN CERTIFICATE REQUEST-----\n${body}\n-----END CERTIFICATE REQUEST-----\n`;
}

function differenceFrom(openssl: X509Certificate, read: ReturnType<typeof readCertificate>): string | undefined {
  const { ca, validFrom, validTo, serialNumber } = openssl;
  // OpenSSL's word: who may not sign certificates is none. Here the two are asked apart, as a path needs both.
  const isAuthority = read.authority?.is === true && read.keyUsage?.uses.has("keyCertSign") !== false;
  if (ca !== isAuthority) return `OpenSSL says ${ca ? "an authority" : "no authority"}`;
  if (Date.parse(validFrom) !== read.notBefore) return `OpenSSL reads ${validFrom}, not ${read.notBefore}`;
  if (Date.parse(validTo) !== read.notAfter) return `OpenSSL reads ${validTo}, not ${read.notAfter}`;
  const number = serialNumber.toLowerCase().replace(/^0+(?=.)/, "");
  return number === read.serial || serialNumber.startsWith("-")
    ? undefined
    : `OpenSSL reads serial ${number}, not ${read.serial}`;
}
