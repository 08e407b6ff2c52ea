/** Fields that Istio's own analyzer calls deprecated. policy-semantics §6.8. */

import type { SidecarSpec } from "../kind/sidecar.js";
import type { VirtualServiceSpec } from "../kind/virtual-service.js";
import type { Resource } from "../resource.js";
import type { Finding } from "./finding.js";

const DEPRECATED = "IST0002";

export function checkDeprecatedRoutes(resource: Resource<VirtualServiceSpec>, report: Finding): void {
  for (const [index, { fault }] of (resource.spec.http ?? []).entries()) {
    if (!fault?.delay?.percent) continue;
    const path = ["spec", "http", index, "fault", "delay", "percent"];
    const message = "percent is deprecated, and ignored where percentage is written too. Write percentage: {value: …}.";
    report(resource, path, DEPRECATED, "warning", message);
  }
}

export function checkDeprecatedSidecar(resource: Resource<SidecarSpec>, report: Finding): void {
  if (resource.spec.outboundTrafficPolicy?.egressProxy === undefined) return;
  const path = ["spec", "outboundTrafficPolicy", "egressProxy"];
  report(resource, path, DEPRECATED, "warning", "egressProxy is deprecated and has no effect here. Remove it.");
}
