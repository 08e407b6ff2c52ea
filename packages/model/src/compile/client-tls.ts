/** The TLS block that holds for one cluster. policy-semantics §2.7; docs/design/2026-11-27-tls-origination.md. */

import type { DestinationRuleSpec } from "../kind/destination-rule.js";
import type { ClientTlsSpec } from "../kind/traffic-policy.js";
import type { Resource } from "../resource.js";
import { type ClientTls, PLAINTEXT, type TlsMode } from "../snapshot/client-tls.js";
import type { Service } from "../snapshot/workload.js";
import { blockPlace } from "./policy-fields.js";

/** `caCertificates` that names no file: the roots of the system, as istiod's own word for them. */
const SYSTEM_ROOTS = "system";

/**
 * @param tls of the block in force
 * @param rules among which it is written
 */
export function clientTls(
  tls: ClientTlsSpec | undefined,
  { subjectAltNames: ofEntry }: Service,
  rules: readonly Resource<DestinationRuleSpec>[],
): ClientTls {
  const mode = tls?.mode ?? "DISABLE";
  if (tls === undefined || mode === "DISABLE") return PLAINTEXT;
  const { sni = "", insecureSkipVerify = false, subjectAltNames: ofRule = [], credentialName = "" } = tls;
  const names = ofRule.length > 0 ? ofRule : ofEntry;
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
    refusal: refusalOf(mode, credentialName),
    source: blockPlace("tls", tls, rules) ?? null,
  };
}

function refusalOf(mode: TlsMode, credentialName: string): string {
  if (mode === "ISTIO_MUTUAL") return "mode ISTIO_MUTUAL, and this version has no identity of the mesh to present";
  if (mode === "MUTUAL") return "mode MUTUAL, and this version presents no client certificate";
  // Differs: without a workloadSelector Istio's sidecars ignore such a block, and send in plaintext.
  if (credentialName !== "") return `credentialName "${credentialName}", and there is no store of secrets here`;
  return "";
}
