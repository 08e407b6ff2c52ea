/** What Istio's validation demands of a Gateway, as far as its analysis of others rests on it. policy-semantics §6.5. */

import type { GatewaySpec } from "../kind/gateway.js";
import { quote } from "../problem-at.js";
import { dnsLabelFault, hostFault, portFault, protocolFault } from "../validate/name-syntax.js";
import type { Report } from "../validate/report.js";

const UNIX_ADDRESS = "unix://";

export function checkGateway({ servers = [] }: GatewaySpec, name: string, report: Report): void {
  report.check(["metadata", "name"], dnsLabelFault(name));
  if (servers.length === 0) report.error(["spec"], "the gateway has no server. Write at least one under servers.");
  const names = new Set<string>();
  for (const [index, { port, hosts = [], bind = "" }] of servers.entries()) {
    const at = ["spec", "servers", index];
    if (hosts.length === 0) report.error(at, "the server has no host. Name hosts, or write hosts: ['*'].");
    for (const [n, host] of hosts.entries()) report.check([...at, "hosts", n], serverHostFault(host));
    if (port === undefined) {
      report.error(at, "the server has no port. Write port: { number: 80, name: http, protocol: HTTP }.");
      continue;
    }
    const { name: portName = "", number = 0, protocol = "", targetPort = 0 } = port;
    if (portName === "") report.error([...at, "port"], "the port has no name. Name it, such as http.");
    else if (names.has(portName)) {
      report.error([...at, "port", "name"], `port name ${quote(portName)} is there twice. Rename one.`);
    }
    names.add(portName);
    report.check([...at, "port"], protocolFault(protocol));
    if (number > 0 || !bind.startsWith(UNIX_ADDRESS)) report.check([...at, "port"], portFault(number));
    if (targetPort > 0)
      report.error([...at, "port", "targetPort"], "targetPort means nothing at a gateway. Remove it.");
  }
}

/** `host`, or `namespace/host`, where the namespace may be `*` or `.`. */
function serverHostFault(host: string): string | undefined {
  const slash = host.indexOf("/");
  const scope = slash < 0 ? "*" : host.slice(0, slash);
  const name = host.slice(slash + 1);
  if (scope !== "*" && scope !== "." && dnsLabelFault(scope) !== undefined) return dnsLabelFault(scope);
  if (name === "*") return undefined;
  return name.includes(".")
    ? hostFault(name)
    : `a gateway takes full names only, found ${quote(host)}. Write it out, such as reviews.example.com.`;
}
