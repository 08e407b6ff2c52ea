/** The TLS block that holds for one cluster. policy-semantics §2.7; docs/design/2026-11-27-tls-origination.md. */

import type { DestinationRuleSpec } from "../kind/destination-rule.js";
import type { ClientTlsSpec } from "../kind/traffic-policy.js";
import type { Resource } from "../resource.js";
import { type ClientTls, PLAINTEXT } from "../snapshot/client-tls.js";
import type { RuleRef } from "../snapshot/route.js";
import type { PeerMode } from "../snapshot/security.js";
import type { Service } from "../snapshot/workload.js";
import { blockPlace } from "./policy-fields.js";
import { serviceIdentities } from "./service-identities.js";
import type { CompilerSettings } from "./settings.js";

/** `caCertificates` that names no file: the roots of the system, as istiod's own word for them. */
const SYSTEM_ROOTS = "system";

/** What is known of a service's servers before any of them is asked. */
export interface ServerFacts {
  /** PeerAuthentication of their namespace and of the mesh. */
  readonly peerMode: PeerMode;
  /** What says STRICT; null where nothing does. */
  readonly strictBy: RuleRef | null;
  /** What documents say of their accounts, `namespace/account`. */
  readonly accounts: readonly string[];
}

/**
 * @param tls of the block in force
 * @param rules among which it is written
 */
export function clientTls(
  tls: ClientTlsSpec | undefined,
  service: Service,
  rules: readonly Resource<DestinationRuleSpec>[],
  servers: ServerFacts,
  { autoMtls, security }: Pick<CompilerSettings, "autoMtls" | "security">,
): ClientTls {
  const identities = (): readonly string[] => serviceIdentities(service, servers.accounts, security.trustDomains);
  if (tls === undefined) {
    const { peerMode, strictBy } = servers;
    // Istio's clients, too, go by what holds for the namespace: of a single workload's mode they know nothing.
    if (!autoMtls || service.location !== "internal" || peerMode === "DISABLE") return PLAINTEXT;
    return {
      ...PLAINTEXT,
      auto: true,
      ...(peerMode === "STRICT" && { strict: true, source: strictBy }),
      identities: identities(),
    };
  }
  const mode = tls.mode ?? "DISABLE";
  if (mode === "DISABLE") return PLAINTEXT;
  const { subjectAltNames: ofEntry } = service;
  const { sni = "", insecureSkipVerify = false, subjectAltNames: ofRule = [], credentialName = "" } = tls;
  const names = ofRule.length > 0 ? ofRule : ofEntry;
  if (mode === "ISTIO_MUTUAL") {
    const source = blockPlace("tls", tls, rules) ?? null;
    return { ...PLAINTEXT, mode, sni, identities: ofRule.length > 0 ? ofRule : identities(), source };
  }
  const { caCertificates = "", caCrl = "", clientCertificate = "", privateKey = "" } = tls;
  return {
    mode,
    sni,
    insecureSkipVerify,
    identities: [],
    subjectAltNames: insecureSkipVerify ? [] : names,
    // The ServiceEntry's names come on top of the host's (seen with Envoy 1.40), the rule's in its place.
    // Differs: an `sni` without any names is verified too, where Istio takes every certificate of a known CA.
    verifiesServerName: !insecureSkipVerify && ofRule.length === 0 && (sni === "" || names.length === 0),
    caCertificates: caCertificates === SYSTEM_ROOTS ? "" : caCertificates,
    caCrl,
    clientCertificate,
    privateKey,
    credentialName,
    refusal: refusalOf(tls),
    source: blockPlace("tls", tls, rules) ?? null,
  };
}

function refusalOf({ mode, credentialName = "", clientCertificate = "", privateKey = "" }: ClientTlsSpec): string {
  // Differs: without a workloadSelector Istio's sidecars ignore such a block, and send in plaintext.
  if (credentialName !== "") return `credentialName "${credentialName}", and there is no store of secrets here`;
  const isWhole = clientCertificate !== "" && privateKey !== "";
  return mode === "MUTUAL" && !isWhole ? "mode MUTUAL, and names no clientCertificate and privateKey to show" : "";
}
