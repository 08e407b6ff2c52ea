/** How the connections of a cluster are encrypted, and whom they must lead to. policy-semantics §2.7. */

import type { RuleRef } from "./route.js";

/** As DestinationRule tls.mode writes it. */
export type TlsMode = "DISABLE" | "SIMPLE" | "MUTUAL" | "ISTIO_MUTUAL";

export interface ClientTls {
  readonly mode: TlsMode;
  /** Server name of every connection; empty: the host that the request is addressed to. */
  readonly sni: string;
  /** The certificate must have one of them: the rule's, else the ServiceEntry's. Empty: none of these is asked for. */
  readonly subjectAltNames: readonly string[];
  /** The certificate must be for the server name, whatever else it must have. */
  readonly verifiesServerName: boolean;
  /** Nothing about the server is verified. */
  readonly insecureSkipVerify: boolean;
  /**
   * SPIFFE ids that the server may have, one of which its certificate must name (secure naming, policy-semantics §2.7): of
   * policy, else of the service's own name and namespace, never of what an instance says of itself. What a rule or a
   * ServiceEntry names in their place stands here as it is written, be it a SPIFFE id or another name of a certificate. Empty
   * but for ISTIO_MUTUAL and auto mTLS.
   */
  readonly identities: readonly string[];
  /** Any identity that the roots of the mesh vouch for is that of the service: nobody says which, and the operator accepts it. @default false */
  readonly anyIdentity?: boolean;
  /**
   * No rule asks for it: endpoints that are members of the mesh (`Endpoint.member`) are called over TLS by a process that has an
   * identity, others in plaintext (auto mTLS). `mode` is then DISABLE: what holds for the others. @default false
   */
  readonly auto?: boolean;
  /**
   * With `auto`: every endpoint is a member, whatever is known of it, as PeerAuthentication of the mesh or of the service's
   * namespace is STRICT. @default false
   */
  readonly strict?: boolean;
  /** Files, read by the process that calls; empty where policy names none. Without `caCertificates`: the roots of Node. */
  readonly caCertificates: string;
  readonly caCrl: string;
  readonly clientCertificate: string;
  readonly privateKey: string;
  readonly credentialName: string;
  /** What of it this version cannot do, in words; empty when it can. Calls then fail: nothing is sent in plaintext instead. */
  readonly refusal: string;
  /**
   * What says so, `spec.trafficPolicy.portLevelSettings[0].tls`, or the PeerAuthentication that makes auto mTLS `strict`; null
   * where nobody does.
   */
  readonly source: RuleRef | null;
}

/** What no rule speaks about, and what `mode: DISABLE` means. */
export const PLAINTEXT: ClientTls = Object.freeze({
  mode: "DISABLE",
  sni: "",
  subjectAltNames: Object.freeze([]),
  verifiesServerName: false,
  insecureSkipVerify: false,
  identities: Object.freeze([]),
  caCertificates: "",
  caCrl: "",
  clientCertificate: "",
  privateKey: "",
  credentialName: "",
  refusal: "",
  source: null,
});
