/** What Istio's validation demands of MeshConfig, as far as a process of ours can be hurt by it. policy-semantics §0.7. */

import { parseDurationMs } from "../kind/duration.js";
import type { MeshConfigSpec } from "../kind/mesh-config.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import { checkAccessLog, checkExtensionProviders } from "./extension-provider.js";
import { checkRetry } from "./http-retry.js";
import { checkLocality, checkZoneAware } from "./load-balancer.js";
import { dnsLabelFault, hostFault, isDnsLabel } from "./name-syntax.js";
import type { Report } from "./report.js";
import { checkExportTo } from "./shared-rules.js";
import { checkClientTls, checkConnectionPool, checkOutlierDetection } from "./traffic-policy.js";

/** Envoy's bounds, in ms. */
const MAX_CONNECT_TIMEOUT_MS = 30_000;

export function checkMeshConfig(spec: MeshConfigSpec, path: Path, report: Report): void {
  const { connectTimeout, rootNamespace, trustDomain, defaultTrafficPolicy } = spec;
  if ((parseDurationMs(connectTimeout ?? "1s") ?? 0) > MAX_CONNECT_TIMEOUT_MS) {
    report.error([...path, "connectTimeout"], `found ${quote(connectTimeout)}, expected at most 30s. Lower it.`);
  }
  if (rootNamespace) report.check([...path, "rootNamespace"], dnsLabelFault(rootNamespace));
  if (trustDomain !== undefined) report.check([...path, "trustDomain"], trustDomainFault(trustDomain));
  for (const [index, alias] of (spec.trustDomainAliases ?? []).entries()) {
    report.check([...path, "trustDomainAliases", index], trustDomainFault(alias));
  }
  for (const field of ["defaultVirtualServiceExportTo", "defaultDestinationRuleExportTo"] as const) {
    checkExportTo(spec[field], [...path, field], report);
  }
  checkExportTo(spec.defaultServiceExportTo, [...path, "defaultServiceExportTo"], report, { allowNone: true });
  for (const [index, { hosts = [] }] of (spec.serviceSettings ?? []).entries()) {
    for (const [hostIndex, host] of hosts.entries()) {
      report.check([...path, "serviceSettings", index, "hosts", hostIndex], hostFault(host));
    }
  }
  checkLocality(spec.localityLbSetting, true, [...path, "localityLbSetting"], report);
  checkZoneAware(spec.zoneAwareLbSetting, true, [...path, "zoneAwareLbSetting"], report);
  checkRetry(spec.defaultHttpRetryPolicy, [...path, "defaultHttpRetryPolicy"], report);
  checkRetry(spec.defaultInboundHttpRetryPolicy, [...path, "defaultInboundHttpRetryPolicy"], report);
  checkClientTls(spec.outboundTrafficPolicy?.tls, [...path, "outboundTrafficPolicy", "tls"], report);
  const at = [...path, "defaultTrafficPolicy"];
  checkConnectionPool(defaultTrafficPolicy?.connectionPool, [...at, "connectionPool"], report);
  checkOutlierDetection(defaultTrafficPolicy?.outlierDetection, [...at, "outlierDetection"], report);
  checkAccessLog(spec, path, report);
  checkExtensionProviders(spec.extensionProviders ?? [], [...path, "extensionProviders"], report);
}

function trustDomainFault(domain: string): string | undefined {
  const labels = domain.split(".");
  const valid =
    domain !== "" &&
    labels.every((label, index) => isDnsLabel(label) || (label === "" && index === labels.length - 1 && index > 0));
  return valid ? undefined : `${quote(domain)} is no trust domain. Write one such as cluster.local.`;
}
