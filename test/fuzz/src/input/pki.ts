/**
 * A small PKI that is always the same, so that a failure can be had again: certificates lie in seeds-pki/, their keys
 * are derived from their names and are nobody's secret.
 */

import { createECDH, createHash, createPrivateKey, type KeyObject, sign } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const FOLDER = new URL("../../seeds-pki/", import.meta.url);

/** When all of them hold. */
export const WALL_TIME = Date.UTC(2027, 0, 1);
export const TRUST_DOMAIN = "cluster.local";

export function fixedKey(name: string): KeyObject {
  const curve = createECDH("prime256v1");
  curve.setPrivateKey(createHash("sha256").update(`inmesh fuzz ${name}`).digest());
  const point = curve.getPublicKey();
  const part = (from: number, to: number) => point.subarray(from, to).toString("base64url");
  const d = curve.getPrivateKey().toString("base64url");
  return createPrivateKey({ key: { kty: "EC", crv: "P-256", d, x: part(1, 33), y: part(33, 65) }, format: "jwk" });
}

export function pkiText(name: string): string {
  return readFileSync(new URL(name, FOLDER), "utf8");
}

export function pkiPath(name: string): string {
  return fileURLToPath(new URL(name, FOLDER));
}

/** Of files whose names begin so. */
export function pkiBytes(prefix: string): readonly Buffer[] {
  const names = readdirSync(FOLDER).filter((name) => name.startsWith(prefix));
  return names.sort().map((name) => bytesOf(pkiText(name)));
}

export function bytesOf(pem: string): Buffer {
  return Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ""), "base64");
}

/** ECDSA with SHA-256, in DER. */
const ALGORITHM = Buffer.from("300a06082a8648ce3d040302", "hex");

/** What stands before algorithm and signature of a certificate or a request. */
export function signedPart(der: Buffer): Buffer {
  const inner = content(der);
  return inner.subarray(0, lengthOf(inner));
}

/** The part with a signature that fits, whatever it says. */
export function signed(part: Uint8Array, key: KeyObject): Buffer {
  const signature = Buffer.concat([Buffer.of(0), sign("sha256", part, key)]);
  return tlv(0x30, Buffer.concat([part, ALGORITHM, tlv(0x03, signature)]));
}

export function tlv(tag: number, value: Buffer): Buffer {
  const { length } = value;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), value]);
  const digits = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...digits), value]);
}

/** Of the value that the bytes begin with. */
function content(der: Buffer): Buffer {
  const head = headOf(der);
  return der.subarray(head, lengthOf(der));
}

function headOf(der: Buffer): number {
  const first = der[1] ?? 0;
  return first < 0x80 ? 2 : 2 + (first & 0x7f);
}

/** Head and content. */
function lengthOf(der: Buffer): number {
  const head = headOf(der);
  return head + (head === 2 ? (der[1] ?? 0) : der.readUIntBE(2, head - 2));
}
