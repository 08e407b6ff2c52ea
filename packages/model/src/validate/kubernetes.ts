/** What we demand of Kubernetes' Service, as its API server does, and of MeshMode. */

import type { MeshModeSpec } from "../kind/mesh-mode.js";
import type { ServiceSpec } from "../kind/service.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import { dnsLabelFault, fqdnFault, isIpAddress, portFault } from "./name-syntax.js";
import type { Report } from "./report.js";
import { checkLabels, checkSelector } from "./shared-rules.js";

export function checkService(spec: ServiceSpec, path: Path, report: Report): void {
  const { ports = [], type = "ClusterIP", externalName = "", clusterIP = "", selector } = spec;
  if (type === "ExternalName") {
    report.check(externalName === "" ? path : [...path, "externalName"], fqdnFault(externalName));
  } else if (ports.length === 0 && clusterIP !== "None") {
    report.error(path, "the service has no ports. Write ports: [{name: http, port: 80}].");
  }
  const names = new Set<string>();
  const numbers = new Set<string>();
  for (const [index, { name = "", port = 0, protocol = "TCP", targetPort }] of ports.entries()) {
    const at = [...path, "ports", index];
    report.check(port === 0 ? at : [...at, "port"], portFault(port));
    if (name === "" && ports.length > 1) report.error(at, "several ports need names. Name it, such as http-web.");
    if (name !== "") report.check([...at, "name"], dnsLabelFault(name));
    if (names.has(name)) report.error([...at, "name"], `port name ${quote(name)} is there twice. Rename one.`);
    if (numbers.has(`${protocol}/${port}`)) report.error([...at, "port"], `port ${port} is there twice. Remove one.`);
    names.add(name);
    numbers.add(`${protocol}/${port}`);
    if (typeof targetPort === "number") report.check([...at, "targetPort"], portFault(targetPort));
  }
  for (const [index, address] of [clusterIP, ...(spec.clusterIPs ?? [])].entries()) {
    if (address === "" || address === "None" || isIpAddress(address)) continue;
    report.error(
      [...path, ...(index === 0 ? ["clusterIP"] : ["clusterIPs", index - 1])],
      `${quote(address)} is no IP address. Correct it, or remove it.`,
    );
  }
  checkLabels(selector, [...path, "selector"], report);
}

export function checkMeshMode({ selector }: MeshModeSpec, path: Path, report: Report): void {
  if (selector !== undefined) checkSelector(selector.matchLabels, [...path, "selector"], report);
}
