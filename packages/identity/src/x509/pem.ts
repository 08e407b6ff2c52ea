/** PEM (RFC 7468): text blocks, read strictly; what stands between them is a comment. */

import { SvidProblem } from "./svid-problem.js";

const BEGIN = /^-----BEGIN ([A-Z0-9 ]{1,40})-----$/;
const BODY = /^[A-Za-z0-9+/]+={0,2}$/;
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
  let label: string | undefined;
  let body: string[] = [];
  for (const each of pem.split("\n")) {
    const line = each.replace(/[ \t\r]+$/, "");
    if (label === undefined) {
      label = BEGIN.exec(line)?.[1];
      body = [];
      if (label === undefined && line.includes("-----BEGIN ")) throw halfWritten(what);
    } else if (line === `-----END ${label}-----`) {
      blocks.push({ label, bytes: bytesOf(body, label, what) });
      label = undefined;
    } else if (line.startsWith("-----")) throw halfWritten(what);
    else body.push(line);
  }
  if (label !== undefined) throw halfWritten(what);
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

function bytesOf(lines: readonly string[], label: string, what: string): Buffer {
  const base64 = lines.join("");
  // What says more in front of the base64 (a cipher, say) is not understood here.
  if (!BODY.test(base64) || base64.length % 4 !== 0 || lines.some((line) => line === ""))
    throw new SvidProblem(`${what}: the block ${label} is not base64`);
  return Buffer.from(base64, "base64");
}

function halfWritten(what: string): SvidProblem {
  return new SvidProblem(`${what} is not whole: a PEM block in it does not begin or end as it should`);
}
