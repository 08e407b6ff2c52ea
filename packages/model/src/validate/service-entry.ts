/** What Istio's validation demands of a ServiceEntry beyond its schema. policy-semantics §3.1 and §6.5. */

import type { ServiceEntrySpec } from "../kind/service-entry.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import {
  dnsLabelFault,
  fqdnFault,
  hostFault,
  isHttpProtocol,
  isIpAddress,
  isPartialWildcard,
  isTcpProtocol,
  isTlsProtocol,
  portFault,
  protocolFault,
  subnetFault,
} from "./name-syntax.js";
import type { Report } from "./report.js";
import { checkExportTo, checkLabels, checkSelector } from "./shared-rules.js";
import { checkPorts, checkWorkloadEntry } from "./workload-entry.js";

/** What the object around the spec says about it. */
export interface ServiceEntryLabels {
  readonly labels: Readonly<Record<string, string>>;
}

export function checkServiceEntry(
  spec: ServiceEntrySpec,
  path: Path,
  report: Report,
  { labels }: ServiceEntryLabels,
): void {
  const { workloadSelector, endpoints = [] } = spec;
  if (workloadSelector !== undefined) {
    checkSelector(workloadSelector.labels, [...path, "workloadSelector"], report);
    if (endpoints.length > 0)
      report.error([...path, "endpoints"], "workloadSelector and endpoints exclude each other. Remove one.");
  }
  checkHosts(spec, path, report);
  checkAddresses(spec, path, report);
  checkServicePorts(spec, labels, path, report);
  checkResolution(spec, labels, path, report);
  checkSharedPorts(spec, path, report);
  checkExportTo(spec.exportTo, [...path, "exportTo"], report, { allowNone: true });
}

function checkHosts({ hosts = [], resolution }: ServiceEntrySpec, path: Path, report: Report): void {
  if (hosts.length === 0) report.error(path, "the entry names no host. Name one, such as hosts: [api.example.com].");
  for (const [index, host] of hosts.entries()) {
    const at = [...path, "hosts", index];
    if (host === "*")
      report.error(at, 'host "*" would be every host. Name the host, or a domain such as *.example.com.');
    else {
      report.check(at, hostFault(host));
      if (resolution !== "DYNAMIC_DNS" && isPartialWildcard(host)) {
        report.warn(at, `${quote(host)} also matches names that merely end like it. Write *. before the domain.`);
      }
    }
  }
}

function checkAddresses({ addresses = [], resolution = "NONE" }: ServiceEntrySpec, path: Path, report: Report): void {
  for (const [index, address] of addresses.entries()) {
    const at = [...path, "addresses", index];
    report.check(at, subnetFault(address));
    if (address.includes("/") && resolution !== "NONE" && resolution !== "STATIC") {
      report.error(at, `a network needs resolution NONE or STATIC, found ${resolution}. Write single addresses.`);
    }
  }
}

function checkServicePorts(
  { ports = [], addresses = [], resolution = "NONE" }: ServiceEntrySpec,
  labels: ServiceEntryLabels["labels"],
  path: Path,
  report: Report,
): void {
  // Istio hands out addresses itself, unless they would be of no use or a label forbids it.
  const allocated =
    resolution !== "NONE" && labels["networking.istio.io/enable-autoallocate-ip"]?.toLowerCase() !== "false";
  const names = new Set<string>();
  const numbers = new Set<number>();
  for (const [index, { name = "", number = 0, protocol = "", targetPort = 0 }] of ports.entries()) {
    const at = [...path, "ports", index];
    if (names.has(name)) report.error([...at, "name"], `port name ${quote(name)} is there twice. Rename one.`);
    if (numbers.has(number)) report.error([...at, "number"], `port ${number} is there twice. Remove one.`);
    names.add(name);
    numbers.add(number);
    if (targetPort !== 0) report.check([...at, "targetPort"], portFault(targetPort));
    if (addresses.length === 0 && !allocated && (protocol === "" || protocol === "TCP")) {
      const message = `without addresses nothing tells calls of port ${number} apart from those of other TCP services. Add addresses, or name the protocol.`;
      report.warn(at, message);
    }
    report.check(name === "" ? at : [...at, "name"], dnsLabelFault(name));
    report.check([...at, "protocol"], protocolFault(protocol));
    report.check(number === 0 ? at : [...at, "number"], portFault(number));
  }
}

function checkResolution(
  spec: ServiceEntrySpec,
  labels: ServiceEntryLabels["labels"],
  path: Path,
  report: Report,
): void {
  const { hosts = [], ports = [], addresses = [], endpoints = [], resolution = "NONE" } = spec;
  const servicePorts = new Set(ports.map(({ name = "" }) => name));
  const at = [...path, "endpoints"];
  if (resolution === "NONE") {
    if (endpoints.length > 0)
      report.error(
        at,
        "with resolution NONE a call goes to the address that the caller asked for. Set STATIC or DNS, or remove the endpoints.",
      );
    if (spec.workloadSelector !== undefined) {
      report.warn([...path, "workloadSelector"], "resolution NONE ignores the selector. Set resolution: STATIC.");
    }
  } else if (resolution === "STATIC") {
    for (const [index, endpoint] of endpoints.entries()) {
      checkWorkloadEntry(endpoint, [...at, index], report, { servicePorts, allowHost: false });
    }
  } else if (resolution === "DYNAMIC_DNS") {
    checkDynamicDns(spec, labels, path, report);
  } else {
    if (endpoints.length === 0) {
      const index = hosts.findIndex((host) => fqdnFault(host) !== undefined);
      if (index >= 0)
        report.error(
          [...path, "hosts", index],
          `${resolution} without endpoints looks up the host itself, so it must be a full name. Correct it, or add endpoints.`,
        );
    }
    if (resolution === "DNS_ROUND_ROBIN" && endpoints.length > 1) {
      report.error(at, `DNS_ROUND_ROBIN takes one endpoint, found ${endpoints.length}. Use DNS.`);
    }
    for (const [index, endpoint] of endpoints.entries())
      checkDnsEndpoint(endpoint, servicePorts, [...at, index], report);
    if (addresses.length > 0 && hosts.length > 1 && ports.some(({ protocol = "" }) => isTcpProtocol(protocol))) {
      report.warn(
        [...path, "hosts"],
        "several hosts share addresses and a TCP port, so calls cannot be told apart. Write one entry per host.",
      );
    }
  }
}

type Endpoint = NonNullable<ServiceEntrySpec["endpoints"]>[number];

function checkDnsEndpoint(endpoint: Endpoint, servicePorts: ReadonlySet<string>, path: Path, report: Report): void {
  const { address = "", labels, ports = {} } = endpoint;
  if (!isIpAddress(address) && fqdnFault(address) !== undefined) {
    report.error(
      address === "" ? path : [...path, "address"],
      `${quote(address)} is neither an IP address nor a host name. Correct it.`,
    );
  }
  checkLabels(labels, [...path, "labels"], report);
  checkPorts(ports, servicePorts, [...path, "ports"], report);
}

function checkDynamicDns(
  spec: ServiceEntrySpec,
  labels: ServiceEntryLabels["labels"],
  path: Path,
  report: Report,
): void {
  for (const [index, host] of (spec.hosts ?? []).entries()) {
    if (!host.startsWith("*"))
      report.error([...path, "hosts", index], "DYNAMIC_DNS is for wildcard hosts. Use DNS for this one.");
  }
  for (const field of ["addresses", "endpoints"] as const) {
    if ((spec[field] ?? []).length > 0)
      report.error([...path, field], `DYNAMIC_DNS takes no ${field}: each call's own host is looked up. Remove them.`);
  }
  for (const [index, { protocol = "" }] of (spec.ports ?? []).entries()) {
    if (["http", "tls", "grpc", "http2"].includes(protocol.toLowerCase())) continue;
    report.error(
      [...path, "ports", index],
      "DYNAMIC_DNS works for HTTP, HTTP2, GRPC and TLS. Name one of them as the protocol.",
    );
  }
  const waypoint = labels["istio.io/use-waypoint"] ?? "";
  if (spec.location === "MESH_INTERNAL" && waypoint !== "" && waypoint.toLowerCase() !== "none") {
    report.error(
      [...path, "location"],
      "DYNAMIC_DNS with a waypoint is for MESH_EXTERNAL hosts. Change the location, or drop the label.",
    );
  }
}

/** Only HTTP and TLS carry the host's name, so only there can several hosts share a port. */
function checkSharedPorts(
  { hosts = [], ports = [], resolution = "NONE" }: ServiceEntrySpec,
  path: Path,
  report: Report,
): void {
  if (resolution === "NONE" || hosts.length < 2) return;
  const index = ports.findIndex(({ protocol = "" }) => !isHttpProtocol(protocol) && !isTlsProtocol(protocol));
  if (index >= 0)
    report.error(
      [...path, "ports", index],
      "several hosts can share a port only if it speaks HTTP or TLS. Write one entry per host.",
    );
}
