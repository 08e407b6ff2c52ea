/** What Istio's validation demands of a Sidecar beyond its schema. policy-semantics §3.3 and §6.5. */

import type { EgressListenerSpec, SidecarPortSpec, SidecarSpec } from "../kind/sidecar.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import { checkDestination } from "./destination.js";
import {
  dnsLabelFault,
  fqdnFault,
  hostFault,
  ipFault,
  isDnsLabel,
  isPartialWildcard,
  portFault,
  protocolFault,
  UNIX_PREFIX,
  unixPathFault,
} from "./name-syntax.js";
import type { Report } from "./report.js";
import { checkSelector } from "./shared-rules.js";
import { checkIngress } from "./sidecar-ingress.js";
import { checkConnectionPool } from "./traffic-policy.js";

export function checkSidecar(spec: SidecarSpec, path: Path, report: Report): void {
  const { workloadSelector, ingress = [], egress = [], inboundConnectionPool, outboundTrafficPolicy } = spec;
  if (workloadSelector !== undefined) checkSelector(workloadSelector.labels, [...path, "workloadSelector"], report);
  const isEmpty = ingress.length + egress.length === 0 && !outboundTrafficPolicy && !inboundConnectionPool;
  if (isEmpty) return report.error(path, 'the Sidecar says nothing. Write egress: [{hosts: ["./*"]}], or remove it.');
  checkIngress(ingress, [...path, "ingress"], report);
  checkConnectionPool(inboundConnectionPool, [...path, "inboundConnectionPool"], report);
  checkEgress(egress, [...path, "egress"], report);
  if (outboundTrafficPolicy?.egressProxy === undefined) return;
  const { mode = "REGISTRY_ONLY", egressProxy } = outboundTrafficPolicy;
  const at = [...path, "outboundTrafficPolicy", "egressProxy"];
  if (mode !== "ALLOW_ANY")
    return report.error(
      at,
      "an egressProxy takes unknown hosts, and REGISTRY_ONLY lets none out. Set mode: ALLOW_ANY.",
    );
  report.check(at, fqdnFault(egressProxy.host ?? ""));
  if (egressProxy.port === undefined) report.error(at, "the proxy has no port. Write port: {number: …}.");
  else checkDestination(egressProxy, at, report);
}

/** Bind addresses and ports of listeners exist in proxies only; they are judged so that no file passes here and fails there. */
function checkEgress(listeners: readonly EgressListenerSpec[], path: Path, report: Report): void {
  const ports = new Set<number>();
  const sockets = new Set<string>();
  const imports = new HostImports(report);
  for (const [index, listener] of listeners.entries()) {
    const at = [...path, index];
    const { port, bind = "", hosts = [] } = listener;
    if (port === undefined) {
      if (index < listeners.length - 1)
        report.error(
          at,
          "a listener without port takes what the others leave, so it must be the last. Move it to the end.",
        );
    } else {
      checkEgressPort(port, listener, at, report);
      const number = port.number ?? 0;
      if (number === 0 ? sockets.has(bind) : ports.has(number))
        report.error(at, "another listener has this port or socket already. Change one.");
      if (number === 0) sockets.add(bind);
      else ports.add(number);
    }
    if (hosts.length === 0)
      report.error(
        at,
        'the listener names no hosts. Write hosts such as "./*" or "shop/reviews.shop.svc.cluster.local".',
      );
    for (const [hostIndex, host] of hosts.entries()) {
      const hostAt = [...at, "hosts", hostIndex];
      imports.add(host, hostAt);
      report.check(hostAt, namespacedHostFault(host));
    }
    imports.endListener(at);
  }
}

function checkEgressPort(port: SidecarPortSpec, listener: EgressListenerSpec, path: Path, report: Report): void {
  const { bind = "", captureMode = "DEFAULT" } = listener;
  const at = [...path, "port"];
  if ((port.targetPort ?? 0) > 0)
    report.error([...at, "targetPort"], "targetPort means nothing in a Sidecar. Remove it.");
  if (port.name) report.check([...at, "name"], dnsLabelFault(port.name));
  report.check([...at, "protocol"], protocolFault(port.protocol ?? ""));
  if ((port.number ?? 0) !== 0) {
    report.check([...at, "number"], portFault(port.number ?? 0));
    if (bind !== "") report.check([...path, "bind"], ipFault(bind));
    return;
  }
  if (!bind.startsWith(UNIX_PREFIX)) report.error(at, "port 0 needs a unix socket as bind. Write a port number.");
  else report.check([...path, "bind"], unixPathFault(bind.slice(UNIX_PREFIX.length)));
  if (captureMode === "IPTABLES")
    report.error([...path, "captureMode"], "a unix socket cannot be captured. Remove captureMode.");
}

/** `namespace/host`; the namespace may be `*` or `.`, and begin with `~` to exclude. */
function namespacedHostFault(entry: string): string | undefined {
  const slash = entry.indexOf("/");
  if (slash < 0) return `${quote(entry)} has no namespace. Write ./${entry} for the own one, */${entry} for any.`;
  const namespace = entry.slice(0, slash);
  const host = entry.slice(slash + 1);
  const name = namespace.startsWith("~") ? namespace.slice(1) : namespace;
  if (namespace === "" || host === "") return `${quote(entry)} lacks its namespace or its host. Write both.`;
  if (name !== "" && name !== "*" && name !== "." && !isDnsLabel(name))
    return `${quote(namespace)} is no namespace. Correct it.`;
  if (host !== "*" && !host.includes("."))
    return `${quote(host)} is a short name. Write it in full: ${host}.${name === "." || name === "*" ? "shop" : name}.svc.cluster.local.`;
  if (isPartialWildcard(host))
    return `${quote(host)} has a wildcard inside a label. Write *. before a domain, or * alone.`;
  return hostFault(host);
}

/** Warns where one import makes another one pointless. */
class HostImports {
  readonly #report: Report;
  readonly #byNamespace = new Map<string, Set<string>>();

  constructor(report: Report) {
    this.#report = report;
  }

  add(entry: string, path: Path): void {
    const slash = entry.indexOf("/");
    if (slash < 0 || entry.startsWith("~")) return;
    const written = entry.slice(0, slash);
    const namespace = written === "." ? this.#report.namespace : written;
    const host = entry.slice(slash + 1);
    const known = this.#byNamespace.get(namespace) ?? new Set();
    if (known.size > 0 && (host === "*" || known.has(host) || known.has("*"))) {
      this.#report.warn(
        path,
        `${quote(entry)} overlaps with an earlier host of that namespace. Remove one of the two.`,
      );
    }
    this.#byNamespace.set(namespace, known.add(host));
  }

  endListener(path: Path): void {
    if (this.#byNamespace.get("*")?.has("*") !== true || this.#byNamespace.size === 1) return;
    this.#report.warn(path, '"*/*" is everything already. Remove it, or the others.');
  }
}
