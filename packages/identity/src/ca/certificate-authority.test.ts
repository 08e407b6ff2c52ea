import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { seededRandom } from "@inmesh/core/testing";
import { expect, it } from "vitest";
import { checkSvid, createCsr, generateKey, parseChain, readCsr, trustOf } from "../index.js";
import { bitString, encode, explicit, integer, oid, sequence } from "../x509/der.js";
import { CertificateAuthority, createAuthority } from "./index.js";

const NOW = Date.UTC(2026, 10, 27, 12, 0, 0, 345);
const DAY = 86_400_000;
const MINUTE = 60_000;
const authority = createAuthority({ trustDomains: ["cluster.local", "b.local"], wallTime: () => NOW });
const trust = trustOf(authority.bundles, ["cluster.local", "b.local"]);

it("gives whoever asks exactly the name, the key and no more than the life that was asked for", () => {
  const random = seededRandom(20_261_127);
  const word = () => Array.from({ length: 1 + random.int(20) }, () => LETTERS[random.int(LETTERS.length)]).join("");
  const keys = [generateKey(), ...otherKeys()];
  const serials = new Set<string>();
  for (let each = 0; each < 300; each++) {
    const key = keys[each % keys.length] as KeyObject; // in range
    const id = `spiffe://${random.int(2) === 0 ? "cluster.local" : "b.local"}/ns/${word()}/sa/${word()}`;
    const ttlMs = 1_000 + random.int(2 * DAY);
    const issued = authority.sign(createCsr(key, { uri: `spiffe://cluster.local/${word()}` }), id, ttlMs);
    const [leaf, ...issuers] = parseChain(issued.certificateChain);
    expect(checkSvid([leaf!.der, ...issuers.map(({ der }) => der)], trust, NOW).peer?.id).toBe(id);
    expect([leaf!.uris, leaf!.serial, leaf!.publicKey.equals(createPublicKey(key))]).toEqual([
      [id],
      issued.serial,
      true,
    ]);
    expect(leaf!.notAfter).toBe(Math.floor((NOW + Math.min(ttlMs, DAY)) / 1_000) * 1_000);
    expect(leaf!.notBefore).toBe(Math.floor((NOW - 2 * MINUTE) / 1_000) * 1_000);
    serials.add(issued.serial);
  }
  expect(serials.size).toBe(300);
});

const LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789ABC-_";

function otherKeys(): readonly KeyObject[] {
  return [
    generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey,
    generateKeyPairSync("ed25519").privateKey,
    generateKeyPairSync("rsa", { modulusLength: 2_048 }).privateKey,
  ];
}

it("takes no key that is too weak, and no request that its key did not sign", () => {
  const weak = generateKeyPairSync("rsa", { modulusLength: 1_024 }).privateKey;
  expect(() => authority.sign(createCsr(weak), "spiffe://cluster.local/a")).toThrow("too short");
  const odd = generateKeyPairSync("ec", { namedCurve: "secp256k1" }).privateKey;
  expect(() => authority.sign(createCsr(odd), "spiffe://cluster.local/a")).toThrow("not known here");
  const right = Buffer.from(createCsr(generateKey()).replace(/-----[^-]+-----|\s/g, ""), "base64");
  const pem = (der: Buffer) =>
    `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
  expect(readCsr(pem(right)).asymmetricKeyType).toBe("ec");
  const other = Buffer.from(right);
  other[other.length - 1]! ^= 1; // the last byte of the signature
  expect(() => readCsr(pem(other))).toThrow(/not signed|not DER/);
  for (const text of [
    "",
    pem(right) + pem(right),
    pem(Buffer.alloc(9_000)),
    pem(right).replace("REQUEST-----\n", "-----\n"),
  ])
    expect(() => readCsr(text)).toThrow(/expected|one text|bytes|not whole/);
});

it.each([
  ["hybrid", (x: Buffer, y: Buffer) => Buffer.concat([Buffer.of(6 + (y.at(-1)! & 1)), x, y]), "hybrid form"],
  ["compressed", (x: Buffer, y: Buffer) => Buffer.concat([Buffer.of(2 + (y.at(-1)! & 1)), x]), "expected whole"],
])(
  "takes no key whose point is written in %s form, which others could not read in the certificate",
  (_, write, why) => {
    const privateKey = generateKey();
    const { x = "", y = "" } = createPublicKey(privateKey).export({ format: "jwk" });
    const point = write(Buffer.from(x, "base64url"), Buffer.from(y, "base64url"));
    const spki = sequence(sequence(oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7")), bitString(point));
    const info = sequence(integer(Buffer.of(0)), sequence(), spki, explicit(0));
    const signature = sign("sha256", encode(info), privateKey);
    const der = encode(sequence(info, sequence(oid("1.2.840.10045.4.3.2")), bitString(signature)));
    const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
    expect(() => readCsr(pem)).toThrow(why);
  },
);

it("is not made of a key and a certificate that do not belong together, nor of a leaf", () => {
  const { material } = authority;
  expect(() => new CertificateAuthority({ ...material, key: generateKey() }, () => NOW)).toThrow("not the one in its");
  const key = generateKey();
  const [leaf] = parseChain(authority.sign(createCsr(key), "spiffe://cluster.local/a").certificateChain);
  expect(() => new CertificateAuthority({ ...material, key, chain: [leaf!] }, () => NOW)).toThrow("one of a workload");
});
