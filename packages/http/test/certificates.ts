/** A certificate authority for tests: P-256, as much of X.509 (RFC 5280) as servers and revocation lists need. */

import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { isIP } from "node:net";

export interface IssueOptions {
  /** Name in the subject, which nobody is to trust. @default "nobody" */
  readonly commonName?: string;
  /** From now, in ms. @default one hour ago */
  readonly fromMs?: number;
  /** @default in one hour */
  readonly untilMs?: number;
}

export interface Issued {
  readonly cert: string;
  readonly key: string;
  readonly serial: number;
}

const HOUR_MS = 3_600_000;
const ECDSA_SHA256 = "1.2.840.10045.4.3.2";

export class TestAuthority {
  readonly pem: string;
  readonly #name: Buffer;
  readonly #key: KeyObject;
  #serial = 1;

  /** @param above whoever signs it; absent: itself */
  constructor(name = "tests", above?: TestAuthority) {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.#key = privateKey;
    this.#name = distinguishedName(name);
    const extensions = [
      extension("2.5.29.19", true, sequence(boolean(true))), // basicConstraints: an authority
      extension("2.5.29.15", true, tlv(0x03, Buffer.from([0x01, 0x06]))), // keyUsage: certificates and lists
    ];
    this.pem = (above ?? this).#signed(this.#name, publicKey, 1, extensions, { untilMs: 24 * HOUR_MS });
  }

  /** An authority that this one signs. */
  below(name: string): TestAuthority {
    return new TestAuthority(name, this);
  }

  /** For a server. @param names DNS names, IP addresses, URIs, `a@b` */
  issue(names: readonly string[], options: IssueOptions = {}): Issued {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const serial = ++this.#serial;
    const subject = distinguishedName(options.commonName ?? "nobody");
    const extensions = names.length === 0 ? [] : [extension("2.5.29.17", false, sequence(...names.map(generalName)))];
    const cert = this.#signed(subject, publicKey, serial, extensions, options);
    return { cert, serial, key: privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
  }

  /** A revocation list. */
  revoke(...serials: readonly number[]): string {
    const revoked = serials.map((serial) => sequence(integer(serial), time(Date.now() - HOUR_MS)));
    const list = sequence(
      ...[integer(1), algorithm(), this.#name, time(Date.now() - HOUR_MS), time(Date.now() + HOUR_MS)],
      ...(revoked.length === 0 ? [] : [sequence(...revoked)]),
    );
    return this.#pem("X509 CRL", list);
  }

  #signed(
    subject: Buffer,
    publicKey: KeyObject,
    serial: number,
    extensions: readonly Buffer[],
    { fromMs = -HOUR_MS, untilMs = HOUR_MS }: IssueOptions,
  ): string {
    const now = Date.now();
    const toBeSigned = sequence(
      tlv(0xa0, integer(2)), // version 3
      ...[integer(serial), algorithm(), this.#name, sequence(time(now + fromMs), time(now + untilMs)), subject],
      publicKey.export({ type: "spki", format: "der" }),
      tlv(0xa3, sequence(...extensions)),
    );
    return this.#pem("CERTIFICATE", toBeSigned);
  }

  #pem(label: string, toBeSigned: Buffer): string {
    const signature = tlv(0x03, Buffer.concat([Buffer.from([0]), sign("sha256", toBeSigned, this.#key)]));
    const base64 = sequence(toBeSigned, algorithm(), signature).toString("base64");
    return `-----BEGIN ${label}-----\n${base64.replace(/.{64}/g, "$&\n").trim()}\n-----END ${label}-----\n`;
  }
}

// ---- DER ----

function tlv(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tlv(0x30, Buffer.concat(parts));
}

/** Below 2^15. */
function integer(value: number): Buffer {
  return tlv(0x02, Buffer.from(value < 128 ? [value] : [value >> 8, value & 255]));
}

function boolean(value: boolean): Buffer {
  return tlv(0x01, Buffer.from([value ? 255 : 0]));
}

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
  const bytes = rest.flatMap((arc) => {
    const groups = [arc & 127];
    for (let left = arc >> 7; left > 0; left >>= 7) groups.unshift((left & 127) | 128);
    return groups;
  });
  return tlv(0x06, Buffer.from([first * 40 + second, ...bytes]));
}

function algorithm(): Buffer {
  return sequence(oid(ECDSA_SHA256));
}

function distinguishedName(commonName: string): Buffer {
  return sequence(tlv(0x31, sequence(oid("2.5.4.3"), tlv(0x0c, Buffer.from(commonName)))));
}

function extension(id: string, critical: boolean, content: Buffer): Buffer {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), tlv(0x04, content));
}

function generalName(name: string): Buffer {
  if (name.includes("://")) return tlv(0x86, Buffer.from(name));
  if (name.includes("@")) return tlv(0x81, Buffer.from(name));
  if (isIP(name) === 4) return tlv(0x87, Buffer.from(name.split(".").map(Number)));
  return tlv(0x82, Buffer.from(name));
}

/** UTCTime. */
function time(atMs: number): Buffer {
  const [date = "", clock = ""] = new Date(atMs).toISOString().split("T");
  return tlv(0x17, Buffer.from(`${date.slice(2).replaceAll("-", "")}${clock.slice(0, 8).replaceAll(":", "")}Z`));
}
