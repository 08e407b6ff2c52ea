/** Reads the files that a policy names: certificates of authorities, and their revocation lists. */

import { X509Certificate } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { errorCode } from "@inmesh/core/internal";

/** The bundle of a whole operating system has 0.3 MB. */
const MOST_BYTES = 8 * 1024 * 1024;

export interface PemFile {
  readonly path: string;
  /** The policy's word for it. */
  readonly field: "caCertificates" | "caCrl";
}

const LABEL = { caCertificates: "CERTIFICATE", caCrl: "X509 CRL" } as const;
const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g;

/** @returns changes with the file, also when another one takes its place by a symbolic link. @throws when it cannot be had */
export async function stampOf({ path }: PemFile): Promise<string> {
  const found = await stat(path).catch(inWords);
  if (!found.isFile()) throw new Error("is no file");
  if (found.size > MOST_BYTES) throw new Error(`has ${found.size} bytes, expected at most ${MOST_BYTES}`);
  return `${found.ino}:${found.size}:${found.mtimeMs}:${found.ctimeMs}`;
}

/** @throws when it cannot be had */
export function readPem({ path }: PemFile): Promise<string> {
  return readFile(path, "latin1").catch(inWords);
}

/** @returns PEM blocks, of which each can be read. @throws when there is none, or one that cannot */
export function pemBlocks(text: string, { field }: PemFile): readonly string[] {
  const blocks = [...text.matchAll(BLOCK)].flatMap(([block, label]) => (label === LABEL[field] ? [block] : []));
  if (blocks.length === 0) throw new Error(`holds no PEM block "BEGIN ${LABEL[field]}"`);
  if (field === "caCertificates") {
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
