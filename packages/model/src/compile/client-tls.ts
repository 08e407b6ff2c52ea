/** The TLS block that holds for one cluster. policy-semantics §2.7; docs/design/2026-11-27-tls-origination.md. */

import type { DestinationRuleSpec } from "../kind/destination-rule.js";
import type { ClientTlsSpec, TrafficPolicySpec } from "../kind/traffic-policy.js";
import type { Resource } from "../resource.js";
import { type ClientTls, PLAINTEXT, type TlsMode, type TlsSource } from "../snapshot/client-tls.js";
import type { Service } from "../snapshot/workload.js";

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
    source: sourceOf(tls, rules),
  };
}

function refusalOf(mode: TlsMode, credentialName: string): string {
  if (mode === "ISTIO_MUTUAL") return "mode ISTIO_MUTUAL, and this version has no identity of the mesh to present";
  if (mode === "MUTUAL") return "mode MUTUAL, and this version presents no client certificate";
  // Differs: without a workloadSelector Istio's sidecars ignore such a block, and send in plaintext.
  if (credentialName !== "") return `credentialName "${credentialName}", and there is no store of secrets here`;
  return "";
}

/** Where the block is written: found by its identity, since blocks replace each other whole. */
function sourceOf(tls: ClientTlsSpec, rules: readonly Resource<DestinationRuleSpec>[]): TlsSource | null {
  for (const { kind, namespace, name, spec } of rules) {
    const { trafficPolicy, subsets = [] } = spec;
    const path =
      pathIn(trafficPolicy, tls, "spec.trafficPolicy") ??
      subsets
        .map((subset, index) => pathIn(subset.trafficPolicy, tls, `spec.subsets[${index}].trafficPolicy`))
        .find((found) => found !== undefined);
    if (path !== undefined) return { resource: { kind, namespace, name }, path };
  }
  return null;
}

function pathIn(policy: TrafficPolicySpec | undefined, tls: ClientTlsSpec, at: string): string | undefined {
  if (policy?.tls === tls) return `${at}.tls`;
  const index = policy?.portLevelSettings?.findIndex((entry) => entry.tls === tls) ?? -1;
  return index < 0 ? undefined : `${at}.portLevelSettings[${index}].tls`;
}
