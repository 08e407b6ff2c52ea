/** PEM (RFC 7468): text blocks, read strictly; what stands between them is a comment. */

import { SvidProblem } from "./svid-problem.js";

const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,40})-----([^-]*)-----END \1-----/g;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
/** In characters: a bundle of a hundred roots has 100,000. */
const MOST = 1_000_000;

export interface PemBlock {
  readonly label: string;
  readonly bytes: Buffer;
}

/** @param what for errors: `the bundle`, `/etc/certs/tls.crt` @throws {SvidProblem} */
export function parsePem(pem: string, what: string): readonly PemBlock[] {
  if (pem.length > MOST) throw new SvidProblem(`${what} has ${pem.length} characters, more than ${MOST}`);
  const blocks: PemBlock[] = [];
  for (const [, label = "", body = ""] of pem.matchAll(BLOCK)) blocks.push({ label, bytes: bodyOf(body, label, what) });
  // A block that does not end (a file half written) has a beginning too many.
  if (pem.split("-----BEGIN ").length - 1 !== blocks.length)
    throw new SvidProblem(`${what} is not whole: a PEM block in it does not end, or not with its own label`);
  return blocks;
}

/** The blocks that are certificates. @throws {SvidProblem} when there are none */
export function parseCertificates(pem: string, what: string): readonly Buffer[] {
  const found = parsePem(pem, what).filter(({ label }) => label === CERTIFICATE);
  if (found.length === 0) throw new SvidProblem(`${what} holds no certificate: a PEM block CERTIFICATE is expected`);
  return found.map(({ bytes }) => bytes);
}

export function formatPem(label: string, bytes: Uint8Array): string {
  const body =
    Buffer.from(bytes)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${body.join("\n")}\n-----END ${label}-----\n`;
}

export const CERTIFICATE = "CERTIFICATE";
export const CERTIFICATE_REQUEST = "CERTIFICATE REQUEST";

function bodyOf(body: string, label: string, what: string): Buffer {
  const base64 = body.replace(/[ \t\r\n]+/g, "");
  if (!BASE64.test(base64) || base64.length % 4 !== 0)
    throw new SvidProblem(`${what}: the block ${label} is not base64`);
  return Buffer.from(base64, "base64");
}
