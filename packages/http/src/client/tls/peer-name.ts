/** Whether a server's certificate is for whom policy expects: RFC 6125 for names, exact for everything else. */

import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { WRONG_PEER_CODE } from "@inmesh/core/internal";
import type { ClientTls } from "@inmesh/model";

/**
 * As Envoy and unlike Node: names stand in subjectAltName only, a wildcard is a whole label.
 * Differs: OpenSSL wants two labels after a wildcard, so `*.test` stands for nobody.
 */
const STRICT = { subject: "never", partialWildcards: false, wildcards: true } as const;

/** Entries of a certificate told in an error; some have hundreds. */
const TOLD = 10;

/** @returns what is wrong with it; undefined when it is the right one */
export function wrongPeer(
  der: Buffer,
  { verifiesServerName, subjectAltNames }: Pick<ClientTls, "verifiesServerName" | "subjectAltNames">,
  serverName: string,
): Error | undefined {
  const certificate = new X509Certificate(der);
  const entries = parseAltNames(certificate.subjectAltName ?? "");
  if (verifiesServerName && !isFor(certificate, entries, serverName)) return notFor([serverName], entries);
  if (subjectAltNames.length === 0 || subjectAltNames.some((name) => isFor(certificate, entries, name)))
    return undefined;
  return notFor(subjectAltNames, entries);
}

interface AltName {
  /** `DNS`, `URI`, `IP Address`, `email`, … */
  readonly kind: string;
  readonly value: string;
}

function isFor(certificate: X509Certificate, entries: readonly AltName[], name: string): boolean {
  if (name === "") return false;
  if (entries.some(({ kind, value }) => kind === "URI" && value === name)) return true;
  if (isIP(name) !== 0) return certificate.checkIP(name) !== undefined;
  if (name.includes("@")) return certificate.checkEmail(name, STRICT) !== undefined;
  // A leading dot would mean every name below it to OpenSSL.
  return !name.startsWith(".") && certificate.checkHost(name, STRICT) !== undefined;
}

/** Node's text: `DNS:a.example, URI:"with, a comma"`. Values that could be taken for a separator are JSON strings. */
export function parseAltNames(text: string): readonly AltName[] {
  return [...text.matchAll(/([^:,"]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g)].map(([, kind = "", value = ""]) => ({
    kind,
    value: value.startsWith('"') ? (JSON.parse(value) as string) : value,
  }));
}

function notFor(expected: readonly string[], entries: readonly AltName[]): Error {
  const told = entries.slice(0, TOLD).map(({ kind, value }) => `${kind}:${value}`);
  if (told.length < entries.length) told.push(`${entries.length - told.length} more`);
  const found = told.length === 0 ? "has no subjectAltName" : `is for ${told.join(", ")}`;
  const message = `the server's certificate ${found}, expected ${expected.map((name) => `"${name}"`).join(" or ")}`;
  // Not ERR_TLS_CERT_ALTNAME_INVALID: undici keeps requests waiting for ever after an error of that code.
  return Object.assign(new Error(message), { code: WRONG_PEER_CODE });
}
