/** Reads the files that a policy names: certificates of authorities, their revocation lists, and a client's own certificate and key. */

import { X509Certificate } from "node:crypto";
import type { Stats } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { errorCode } from "@inmesh/core/internal";

/** The bundle of a whole operating system has 0.3 MB. */
const MOST_BYTES = 8 * 1024 * 1024;

export interface PemFile {
  readonly path: string;
  /** The policy's word for it. */
  readonly field: "caCertificates" | "caCrl" | "clientCertificate" | "privateKey";
}

const LABELS: { readonly [Field in PemFile["field"]]: readonly string[] } = {
  caCertificates: ["CERTIFICATE"],
  caCrl: ["X509 CRL"],
  clientCertificate: ["CERTIFICATE"],
  privateKey: ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"],
};
const ENCRYPTED = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m;
const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g;

/** Of group and others. */
const OTHERS = 0o077;

/** @returns changes with the file, also when another one takes its place by a symbolic link. @throws when it cannot be had */
export async function stampOf({ path, field }: PemFile): Promise<string> {
  const found = await stat(path).catch(inWords);
  if (!found.isFile()) throw new Error("is no file");
  if (found.size > MOST_BYTES) throw new Error(`has ${found.size} bytes, expected at most ${MOST_BYTES}`);
  if (field === "privateKey") refuseShared(found);
  return `${found.ino}:${found.size}:${found.mtimeMs}:${found.ctimeMs}`;
}

/** As ssh does: whoever owns a key keeps it to himself. What another user owns, as root does with mounted secrets, is his to judge. */
function refuseShared({ uid, mode }: Stats): void {
  if (process.getuid?.() !== uid || (mode & OTHERS) === 0) return;
  const now = (mode & 0o777).toString(8).padStart(4, "0");
  throw new Error(`is a private key that others than its owner may read (mode ${now}): chmod 600 it`);
}

/** @throws when it cannot be had */
export function readPem({ path }: PemFile): Promise<string> {
  return readFile(path, "latin1").catch(inWords);
}

/** @returns PEM blocks, of which each can be read. @throws when there is none, or one that cannot. Nothing of a key is told */
export function pemBlocks(text: string, { field }: PemFile): readonly string[] {
  if (field === "privateKey" && ENCRYPTED.test(text)) {
    throw new Error("is encrypted, and policy has no place for a passphrase: decrypt it");
  }
  const labels = LABELS[field];
  const blocks = [...text.matchAll(BLOCK)].flatMap(([block, label = ""]) => (labels.includes(label) ? [block] : []));
  if (blocks.length === 0) throw new Error(`holds no PEM block "BEGIN ${labels[0]}"`);
  if (labels[0] === "CERTIFICATE") {
    for (const [index, block] of blocks.entries()) {
      try {
        new X509Certificate(block);
      } catch (error) {
        throw new Error(`has a certificate, number ${index + 1}, that cannot be read`, { cause: error });
      }
    }
  }
  return blocks;
}

function inWords(error: unknown): never {
  throw new Error(WORDS[errorCode(error)] ?? `cannot be read: ${String(error)}`, { cause: error });
}

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  ENOTDIR: "does not exist",
  EACCES: "may not be read by this process",
  EPERM: "may not be read by this process",
  EISDIR: "is no file",
};
