/** What Istio's validation demands of a PeerAuthentication. policy-semantics §4.2 and §6.6. */

import type { PeerAuthenticationSpec } from "../kind/peer-authentication.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import { checkWorkloadSelector } from "./policy-target.js";
import type { Report } from "./report.js";

export function checkPeerAuthentication(
  { selector, portLevelMtls }: PeerAuthenticationSpec,
  path: Path,
  report: Report,
): void {
  if (selector !== undefined) checkWorkloadSelector(selector.matchLabels, [...path, "selector"], report);
  if (portLevelMtls === undefined) return;
  const at = [...path, "portLevelMtls"];
  const ports = Object.keys(portLevelMtls);
  if (ports.length === 0)
    report.error(at, 'no port is named. Write one, such as "8080": {mode: STRICT}, or remove it.');
  if (Object.keys(selector?.matchLabels ?? {}).length === 0) {
    report.error(at, "ports belong to workloads, and no selector says which. Add a selector, or set mtls.mode.");
  }
  for (const port of ports) {
    if (/^[1-9]\d{0,4}$/.test(port) && Number(port) <= 65_535) continue;
    report.error([...at, port], `${quote(port)} is no port. Write the number of a workload port, 1 to 65535.`);
  }
}
