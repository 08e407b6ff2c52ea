/** What Istio's validation demands of a WorkloadEntry and a WorkloadGroup. policy-semantics §3.2 and §6.5. */

import type { WorkloadEntrySpec } from "../kind/workload-entry.js";
import type { ReadinessProbeSpec, WorkloadGroupSpec } from "../kind/workload-group.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import { dnsLabelFault, fqdnFault, isIpAddress, portFault, UNIX_PREFIX, unixPathFault } from "./name-syntax.js";
import type { Report } from "./report.js";
import { checkLabels } from "./shared-rules.js";

interface EntryRules {
  /** Port names of the ServiceEntry around it; without one, any name goes. */
  readonly servicePorts?: ReadonlySet<string>;
  /** A host name instead of an IP. */
  readonly allowHost?: boolean;
}

export function checkWorkloadEntry(
  entry: WorkloadEntrySpec,
  path: Path,
  report: Report,
  { servicePorts, allowHost = true }: EntryRules = {},
): void {
  const { address = "", network = "", ports = {} } = entry;
  const at = [...path, "address"];
  if (address === "" && network === "") return report.error(path, "the entry has no address. Give it one.");
  if (address === "")
    report.warn(path, `without an address it stands for whatever runs in network ${quote(network)}. Give it one.`);
  const isUnix = address.startsWith(UNIX_PREFIX);
  if (isUnix) {
    report.check(at, unixPathFault(address.slice(UNIX_PREFIX.length)));
    if (Object.keys(ports).length > 0) report.error([...path, "ports"], "a unix socket has no ports. Remove them.");
    if (servicePorts !== undefined && servicePorts.size !== 1) {
      report.error(
        at,
        `a unix socket serves one service port, the service has ${servicePorts.size}. Use an IP address.`,
      );
    }
  } else if (address !== "" && !isIpAddress(address)) {
    if (!allowHost) report.error(at, `${quote(address)} is no IP address. Write one, or set resolution: DNS.`);
    else if (fqdnFault(address) !== undefined) {
      report.error(at, `${quote(address)} is neither an IP address nor a host name. Correct it.`);
    }
  }
  checkPorts(ports, servicePorts, [...path, "ports"], report);
  checkLabels(entry.labels, [...path, "labels"], report);
}

export function checkPorts(
  ports: Readonly<Record<string, number>>,
  servicePorts: ReadonlySet<string> | undefined,
  path: Path,
  report: Report,
): void {
  for (const [name, port] of Object.entries(ports)) {
    const at = [...path, name];
    if (servicePorts !== undefined && !servicePorts.has(name)) {
      report.error(
        at,
        `the service has no port named ${quote(name)}. It has ${[...servicePorts].join(", ") || "none"}; use one of them.`,
      );
    }
    report.check(at, dnsLabelFault(name));
    report.check(at, portFault(port));
  }
}

export function checkWorkloadGroup(spec: WorkloadGroupSpec, path: Path, report: Report): void {
  if (spec.template === undefined)
    return report.error(path, "the group has no template. Write one, such as template: {ports: {http: 8080}}.");
  checkLabels(spec.metadata?.labels, [...path, "metadata", "labels"], report);
  checkProbe(spec.probe, [...path, "probe"], report);
}

function checkProbe(probe: ReadinessProbeSpec | undefined, path: Path, report: Report): void {
  if (probe === undefined) return;
  const times = [
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
  ] as const;
  for (const field of times) {
    if ((probe[field] ?? 0) < 0)
      report.error([...path, field], `found ${probe[field]}, expected 0 or more. Correct it.`);
  }
  const { httpGet, tcpSocket, exec, grpc } = probe;
  if (httpGet !== undefined) {
    const at = [...path, "httpGet"];
    report.check(at, portFault(httpGet.port ?? 0));
    if (httpGet.scheme && httpGet.scheme !== "HTTP" && httpGet.scheme !== "HTTPS") {
      report.error([...at, "scheme"], `found ${quote(httpGet.scheme)}, expected "HTTP" or "HTTPS". Write one of them.`);
    }
    for (const [index, { name = "" }] of (httpGet.httpHeaders ?? []).entries()) {
      if (!/^[-A-Za-z0-9]+$/.test(name))
        report.error([...at, "httpHeaders", index], `${quote(name)} is no header name. Correct it.`);
    }
  } else if (tcpSocket !== undefined) report.check([...path, "tcpSocket"], portFault(tcpSocket.port ?? 0));
  else if (exec !== undefined) {
    if ((exec.command ?? []).length === 0) report.error([...path, "exec"], "the command is empty. Write one.");
  } else {
    const fact = grpc === undefined ? "the probe has no method" : "grpc probes are refused by Istio's validation";
    report.error(path, `${fact}. Use httpGet, tcpSocket or exec.`);
  }
}
