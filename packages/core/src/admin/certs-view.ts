/** What the admin endpoint tells of the process's identity and certificates. Nothing secret is in it. */

import type { TokenKeysReading } from "../security/authenticate.js";

/** Of the process that answers. */
export interface IdentityView {
  /** `off`: it has none by its setting. Else as `IdentityStatus`. */
  readonly state: "off" | "starting" | "ready" | "failing" | "expired";
  /** SPIFFE id; empty before the first certificate. */
  readonly id: string;
  /** Where its certificate comes from, in words; empty when off. */
  readonly source: string;
  /** Why it is not as it should be. */
  readonly reason?: string;
  /** ISO 8601; absent before the first certificate. */
  readonly notBefore?: string;
  readonly notAfter?: string;
  /** Of the next renewal, ISO 8601; absent where the source says when. */
  readonly renewsAt?: string;
  /** How many certificates it has had. */
  readonly generation: number;
}

/** GET /certs: certificates in use. Nothing secret is in them. */
export interface CertsView {
  readonly identity: IdentityView;
  /** The leaf first, without the root. */
  readonly chain: readonly CertificateView[];
  readonly roots: readonly { readonly trustDomain: string; readonly certificates: readonly CertificateView[] }[];
  /** By which tokens are verified: one for each place that RequestAuthentication names. Absent in processes of older versions. */
  readonly tokenKeys?: readonly TokenKeysReading[];
}

export interface CertificateView {
  /** SPIFFE id, or another URI; empty where it has none. */
  readonly id: string;
  /** Hexadecimal. */
  readonly serial: string;
  /** In one line; empty where it has none. */
  readonly subject: string;
  readonly issuer: string;
  /** ISO 8601. */
  readonly notBefore: string;
  readonly notAfter: string;
  /** SHA-256, hexadecimal with colons. */
  readonly fingerprint: string;
}
