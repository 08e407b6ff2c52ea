/** DestinationRules that are for nobody, and subsets that choose nobody. policy-semantics §6.8. */

import { isWildcard, qualifiedHost } from "../compile/host.js";
import { hasLabels } from "../compile/labels.js";
import { endpointLabels } from "../compile/topology.js";
import type { ClientView } from "../compile/view.js";
import type { DestinationRuleSpec } from "../kind/destination-rule.js";
import type { ClientTlsSpec, TrafficPolicySpec } from "../kind/traffic-policy.js";
import type { Path, Resource } from "../resource.js";
import { nearestName } from "../validate/nearest-name.js";
import { type Finding, suggestion } from "./finding.js";
import type { AnalyzedSet } from "./views.js";

const UNKNOWN_HOST = "IST0174";
const EMPTY_SUBSET = "IST0173";
/** Of endpoints that a file lists: others may join them. */
const EMPTY_DECLARED = "IM0304";
const UNVERIFIED = "IST0128";
const UNVERIFIED_PORT = "IST0129";
const UNVERIFIED_SUBSET = "IM0307";

export function checkDestinationRule(resource: Resource<DestinationRuleSpec>, set: AnalyzedSet, report: Finding): void {
  const { spec, namespace } = resource;
  const view = set.viewOf(namespace);
  const host = qualifiedHost(spec.host ?? "", namespace);
  const service = view.services.byHost.get(host) ?? (isWildcard(host) ? undefined : view.services.covering(host));
  if (service !== undefined) checkSubsets(resource, view, service, set.live, report);
  else if (!isWildcard(host) && set.live) {
    const near = nearestName(
      spec.host ?? "",
      [...view.services.byHost.values()].flatMap(({ name, host: known }) => [name, known]),
    );
    const message = `"${spec.host}" (${host}) is no Service, no ServiceEntry and no running process. The rule has no effect now.${suggestion(near)} Correct the host, or declare it.`;
    report(resource, ["spec", "host"], UNKNOWN_HOST, "warning", message);
  }
  checkTls(resource, report);
}

/** Only where the service has somebody at all: without workloads nothing can be said about labels. */
function checkSubsets(
  resource: Resource<DestinationRuleSpec>,
  view: ClientView,
  service: Parameters<ClientView["members"]>[0],
  live: boolean,
  report: Finding,
): void {
  const members = view.members(service);
  if (members.length === 0) return;
  for (const [index, { name, labels = {} }] of (resource.spec.subsets ?? []).entries()) {
    if (members.some((member) => hasLabels(endpointLabels(member), labels))) continue;
    const wanted = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
    const message = `subset "${name}" wants ${wanted.join(", ")}, and none of the ${members.length} workloads of ${service.host} has that. Requests sent to it get 503. Correct the labels, or start such a workload.`;
    report(
      resource,
      ["spec", "subsets", index],
      live ? EMPTY_SUBSET : EMPTY_DECLARED,
      live ? "error" : "warning",
      message,
    );
  }
}

/** TLS whose server nobody checks. Istio's analyzer looks at neither subsets nor insecureSkipVerify. */
function checkTls(resource: Resource<DestinationRuleSpec>, report: Finding): void {
  const { trafficPolicy, subsets = [], workloadSelector } = resource.spec;
  const selects = workloadSelector !== undefined;
  const check = (policy: TrafficPolicySpec | undefined, at: Path, code: string, portCode: string): void => {
    const tell = (tls: ClientTlsSpec | undefined, path: Path, which: string): void => {
      if (!isUnverified(tls, selects)) return;
      const message =
        tls?.insecureSkipVerify === true
          ? "insecureSkipVerify: whoever answers is taken for the server. Name the CA's file by caCertificates instead."
          : "mode SIMPLE or MUTUAL without caCertificates: the roots of Node are trusted, and Istio before 1.27 does not verify the server's certificate at all. Name the CA's file.";
      report(resource, path, which, "warning", message);
    };
    tell(policy?.tls, [...at, "tls"], code);
    for (const [index, { tls }] of (policy?.portLevelSettings ?? []).entries()) {
      tell(tls, [...at, "portLevelSettings", index, "tls"], portCode);
    }
  };
  check(trafficPolicy, ["spec", "trafficPolicy"], UNVERIFIED, UNVERIFIED_PORT);
  for (const [index, subset] of subsets.entries()) {
    const at = ["spec", "subsets", index, "trafficPolicy"];
    check(subset.trafficPolicy, at, UNVERIFIED_SUBSET, UNVERIFIED_SUBSET);
  }
}

/** @param selects a credentialName counts where the rule is for selected workloads: others do not read it */
function isUnverified(tls: ClientTlsSpec | undefined, selects: boolean): boolean {
  if (tls === undefined || (tls.mode !== "SIMPLE" && tls.mode !== "MUTUAL")) return false;
  return !tls.caCertificates && !(tls.credentialName && selects);
}
