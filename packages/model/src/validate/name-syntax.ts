/** Syntax of names, hosts, addresses and labels, as Istio judges them. Each `…Fault` is a message, or undefined. */

import { isIP } from "node:net";
import { quote } from "../problem-at.js";
import { PROTOCOLS } from "../snapshot/workload.js";

const LABEL = /^[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?$/;
const WILDCARD_LABEL = /^(?:\*|(?:\*-?)?[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?)$/;
const LABEL_VALUE = /^(?:(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;
const LABEL_KEY =
  /^(?:([a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?)*)\/)?((?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$/;

const GATEWAY_HOSTNAME = /^(?:\*\.)?[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
const MAX_GATEWAY_HOSTNAME_LENGTH = 253;
const MAX_LABEL_LENGTH = 63;
const MAX_HOST_LENGTH = 255;

/** DNS-1123 label; like Istio, capitals pass. */
export function isDnsLabel(name: string): boolean {
  return name.length <= MAX_LABEL_LENGTH && LABEL.test(name);
}

export function isIpAddress(address: string): boolean {
  return isIP(address) !== 0;
}

export function dnsLabelFault(name: string): string | undefined {
  if (isDnsLabel(name)) return undefined;
  return `found ${quote(name)}, expected a DNS label: letters, digits and "-", at most 63. Rename it.`;
}

/** A host name without wildcard; a trailing dot is allowed. */
export function fqdnFault(host: string): string | undefined {
  return lengthFault(host) ?? labelsFault(host, host);
}

/** A host name whose first label may be a wildcard: `*`, `*.example.com`, `*-web.example.com`. */
export function hostFault(host: string): string | undefined {
  const fault = lengthFault(host);
  if (fault !== undefined) return fault;
  const dot = host.indexOf(".");
  const first = dot < 0 ? host : host.slice(0, dot);
  if (first.length > MAX_LABEL_LENGTH || !WILDCARD_LABEL.test(first)) return badLabel(host, first);
  return dot < 0 ? undefined : labelsFault(host.slice(dot + 1), host);
}

/** As above for a VirtualService of a gateway with SNI rules: names that gateways derive themselves pass too. */
export function gatewayHostFault(host: string, hasSni: boolean): string | undefined {
  if (!hasSni || !host.startsWith("outbound_")) return hostFault(host);
  const [, port = "", , name = ""] = host.split("_");
  if (/\d/.test(port) && /[a-zA-Z]/.test(name)) return lengthFault(host);
  return `host ${quote(host)} is not of the form outbound_.<port>_._.<host>. Correct it.`;
}

/** `*foo.com`: legal, but it matches xfoo.com as well. */
export function isPartialWildcard(host: string): boolean {
  return host.length > 1 && host.includes("*") && !host.startsWith("*.");
}

function lengthFault(host: string): string | undefined {
  if (host === "") return "the host is empty. Name one.";
  return host.length > MAX_HOST_LENGTH ? `host ${quote(host)} is longer than 255. Shorten it.` : undefined;
}

function labelsFault(labels: string, host: string): string | undefined {
  const parts = labels.split(".");
  const last = parts[parts.length - 1] ?? "";
  if (/^[-+]?\d+$/.test(last))
    return `host ${quote(host)} ends in the number ${quote(last)}; no such domain exists. Correct it.`;
  for (const [index, part] of parts.entries()) {
    if (index === parts.length - 1 && part === "") return undefined;
    if (!isDnsLabel(part)) return badLabel(host, part);
  }
  return undefined;
}

function badLabel(host: string, label: string): string {
  return `host ${quote(host)} is no DNS name: the part ${quote(label)} is not valid. Correct it; a wildcard may only lead.`;
}

export function portFault(port: number): string | undefined {
  return port >= 1 && port <= 65535 ? undefined : `found port ${port}, expected 1 to 65535. Correct it.`;
}

export function ipFault(address: string): string | undefined {
  return isIpAddress(address) ? undefined : `${quote(address)} is no IP address. Write one.`;
}

/** An address, or a network in CIDR notation. */
export function subnetFault(subnet: string): string | undefined {
  const slash = subnet.indexOf("/");
  if (slash < 0) return ipFault(subnet);
  const version = isIP(subnet.slice(0, slash));
  const bits = subnet.slice(slash + 1);
  const valid = version !== 0 && /^(?:0|[1-9]\d{0,2})$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128);
  return valid && !subnet.includes("%")
    ? undefined
    : `${quote(subnet)} is neither an IP address nor a network such as 10.0.0.0/8. Write one.`;
}

export const UNIX_PREFIX = "unix://";

/** Path of a unix socket, without its prefix; `@name` is an abstract one. */
export function unixPathFault(path: string): string | undefined {
  if (path.startsWith("@") || (path.startsWith("/") && !path.endsWith("/"))) return undefined;
  return `${quote(path)} is no absolute path of a socket. Write one, such as unix:///run/app.sock.`;
}

export function labelKeyFault(key: string): string | undefined {
  const [, prefix = "", name = ""] = LABEL_KEY.exec(key.slice(0, 400)) ?? [];
  if (name !== "" && name.length <= MAX_LABEL_LENGTH && prefix.length <= 253 && key.length < 400) return undefined;
  return `${quote(key)} is no label name: letters, digits, "-", "_" and ".", at most 63, after an optional domain and "/". Rename it.`;
}

export function labelValueFault(value: string): string | undefined {
  if (LABEL_VALUE.test(value)) return undefined;
  return `${quote(value)} is no label value: letters, digits, "-", "_" and ".", beginning and ending in a letter or digit. Correct it.`;
}

/** Istio accepts one more name than a port can have: only the egress of a Sidecar knows what to do with it. */
const ACCEPTED: ReadonlySet<string> = new Set([...PROTOCOLS, "http_proxy"]);

/** Empty means: to be found out from the traffic. */
export function protocolFault(protocol: string): string | undefined {
  if (protocol === "" || ACCEPTED.has(protocol.toLowerCase())) return undefined;
  return `${quote(protocol)} is no known protocol; expected one of ${[...ACCEPTED].join(", ").toUpperCase()}. Write one.`;
}

export function isHttpProtocol(protocol: string): boolean {
  return ["http", "http2", "http_proxy", "grpc", "grpc-web"].includes(protocol.toLowerCase());
}

export function isTlsProtocol(protocol: string): boolean {
  return ["https", "tls"].includes(protocol.toLowerCase());
}

/** TCP as Istio counts: what is forwarded byte by byte. */
export function isTcpProtocol(protocol: string): boolean {
  return ["tcp", "https", "tls", "mongo", "redis", "mysql"].includes(protocol.toLowerCase());
}

/** As Gateway API writes hosts. @param wildcards `*.example.com` is allowed */
export function gatewayHostnameFault(hostname: string, wildcards: boolean): string | undefined {
  const isName =
    GATEWAY_HOSTNAME.test(hostname) && hostname.length <= MAX_GATEWAY_HOSTNAME_LENGTH && !isIpAddress(hostname);
  if (isName && (wildcards || !hostname.startsWith("*"))) return undefined;
  const form = wildcards ? "example.com or *.example.com" : "example.com";
  return `found ${quote(hostname)}, expected a host name in small letters, such as ${form}. Correct it.`;
}
