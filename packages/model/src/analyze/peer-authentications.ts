/** PeerAuthentications that hold for nobody, or that callers do not know of. policy-semantics §4.2. */

import { qualifiedHost } from "../compile/host.js";
import { compareAge } from "../compile/order.js";
import { namespacePeerMode } from "../compile/peer-policy.js";
import { selectorOf } from "../compile/security-documents.js";
import { canonicalJson } from "../document/content-hash.js";
import type { DestinationRuleSpec } from "../kind/destination-rule.js";
import type { MutualTlsSpec, PeerAuthenticationSpec } from "../kind/peer-authentication.js";
import type { TrafficPolicySpec } from "../kind/traffic-policy.js";
import type { Path, Resource } from "../resource.js";
import { type Finding, placeOf } from "./finding.js";
import type { AnalyzedSet } from "./views.js";

const SELECTS_FROM_ROOT = "IM0804";
const SAME_SCOPE = "IM0805";
const UNKNOWN_TO_CALLERS = "IM0806";
const PLAINTEXT_TO_STRICT = "IM0807";

type PeerDocument = Resource<PeerAuthenticationSpec>;

export function checkPeerAuthentications(
  documents: readonly PeerDocument[],
  rootNamespace: string,
  autoMtls: boolean,
  report: Finding,
): void {
  const sorted = [...documents].sort(compareAge);
  for (const group of groupsOf(sorted).values()) checkScope(group, report);
  for (const document of sorted) {
    if (Object.keys(selectorOf(document)).length === 0) continue;
    if (document.namespace === rootNamespace) {
      const message = `a PeerAuthentication of the root namespace "${rootNamespace}" that selects workloads holds for nobody. Write it in the namespace of the workloads.`;
      report(document, ["spec", "selector"], SELECTS_FROM_ROOT, "warning", message);
    } else if (autoMtls) checkKnownToCallers(document, sorted, rootNamespace, report);
  }
}

/** By namespace and selector. */
function groupsOf(documents: readonly PeerDocument[]): ReadonlyMap<string, readonly PeerDocument[]> {
  const groups = new Map<string, PeerDocument[]>();
  for (const document of documents) {
    const key = `${document.namespace}/${canonicalJson(selectorOf(document))}`;
    groups.set(key, [...(groups.get(key) ?? []), document]);
  }
  return groups;
}

function checkScope(group: readonly PeerDocument[], report: Finding): void {
  const [used] = group;
  if (used === undefined || group.length < 2) return;
  for (const document of group) {
    const others = group.filter((other) => other !== document).map(placeOf);
    const message = `${others.join(" and ")} ${others.length === 1 ? "is" : "are"} for the same workloads. Only ${used.key}, the older one, holds, and nothing of the others. Keep one of them.`;
    report(document, ["spec"], SAME_SCOPE, "warning", message);
  }
}

/** Callers of ours, as Istio's, go by what holds for the namespace: a workload that takes no TLS gets it all the same. */
function checkKnownToCallers(
  document: PeerDocument,
  all: readonly PeerDocument[],
  rootNamespace: string,
  report: Finding,
): void {
  const { namespace, spec } = document;
  const speaking = all.filter((other) => other.namespace === namespace || other.namespace === rootNamespace);
  const { mode } = namespacePeerMode(speaking, rootNamespace);
  if (mode === "DISABLE") return;
  const check = (tls: MutualTlsSpec | undefined, path: Path, who: string): void => {
    if (tls?.mode !== "DISABLE") return;
    const message = `${who} takes no TLS, and callers do not know: for them the namespace is ${mode}, so they call processes of the mesh over TLS, and fail. Write a DestinationRule with tls: {mode: DISABLE} for the service, or make it PERMISSIVE here.`;
    report(document, path, UNKNOWN_TO_CALLERS, "warning", message);
  };
  check(spec.mtls, ["spec", "mtls", "mode"], "the workload");
  for (const [port, tls] of Object.entries(spec.portLevelMtls ?? {})) {
    check(tls, ["spec", "portLevelMtls", port, "mode"], `port ${port}`);
  }
}

/** Callers that are told to send in plaintext, or to somebody without certificates, what servers demand mTLS for. */
export function checkPlaintextToStrict(
  resource: Resource<DestinationRuleSpec>,
  set: AnalyzedSet,
  report: Finding,
): void {
  const { spec, namespace } = resource;
  const view = set.viewOf(namespace);
  const service = view.services.byHost.get(qualifiedHost(spec.host ?? "", namespace));
  if (
    service === undefined ||
    service.location !== "internal" ||
    view.peerModes.of(service.namespace).mode !== "STRICT"
  )
    return;
  const check = (policy: TrafficPolicySpec | undefined, at: Path): void => {
    const places = [
      [policy?.tls, [...at, "tls"]] as const,
      ...(policy?.portLevelSettings ?? []).map(
        ({ tls }, index) => [tls, [...at, "portLevelSettings", index, "tls"]] as const,
      ),
    ];
    for (const [tls, path] of places) {
      const mode = tls === undefined ? undefined : (tls.mode ?? "DISABLE");
      if (mode !== "DISABLE" && mode !== "SIMPLE") continue;
      const message = `tls.mode ${mode} shows no certificate of the mesh, and PeerAuthentication is STRICT for namespace "${service.namespace}": calls are refused, but where a workload of it is PERMISSIVE. Remove the block, or write ISTIO_MUTUAL.`;
      report(resource, path, PLAINTEXT_TO_STRICT, "warning", message);
    }
  };
  check(spec.trafficPolicy, ["spec", "trafficPolicy"]);
  for (const [index, subset] of (spec.subsets ?? []).entries()) {
    check(subset.trafficPolicy, ["spec", "subsets", index, "trafficPolicy"]);
  }
}
