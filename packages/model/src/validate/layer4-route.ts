/** Rules of tls and tcp routes. policy-semantics §1.12 and §6.3. */

import type { TcpRouteSpec, TlsRouteSpec, WeightedDestinationSpec } from "../kind/virtual-service.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import { checkDestination, checkWeights } from "./destination.js";
import { isHostSubset } from "./host-pattern.js";
import { gatewayHostFault, hostFault, isIpAddress, portFault, subnetFault } from "./name-syntax.js";
import type { Report } from "./report.js";
import { checkGatewayNames, checkLabels } from "./shared-rules.js";

export function checkTlsRoute(
  { match = [], route = [] }: TlsRouteSpec,
  hosts: readonly string[],
  forGateways: boolean,
  path: Path,
  report: Report,
): void {
  if (match.length === 0) report.error(path, "a tls rule needs a match. Write match: [{sniHosts: […]}].");
  for (const [index, part] of match.entries()) {
    const at = [...path, "match", index];
    const { sniHosts = [] } = part;
    if (sniHosts.length === 0) report.error(at, "the match names no sniHosts. Name at least one.");
    for (const [hostIndex, sni] of sniHosts.entries())
      checkSniHost(sni, hosts, forGateways, [...at, "sniHosts", hostIndex], report);
    checkLayer4Match(part, at, report);
  }
  checkDestinations(route, path, report);
}

export function checkTcpRoute({ match = [], route = [] }: TcpRouteSpec, path: Path, report: Report): void {
  for (const [index, part] of match.entries()) checkLayer4Match(part, [...path, "match", index], report);
  checkDestinations(route, path, report);
}

type Layer4Match = Omit<NonNullable<TcpRouteSpec["match"]>[number], "sourceSubnet">;

function checkLayer4Match(match: Layer4Match, path: Path, report: Report): void {
  for (const [index, subnet] of (match.destinationSubnets ?? []).entries()) {
    report.check([...path, "destinationSubnets", index], subnetFault(subnet));
  }
  if (match.port !== undefined && match.port !== 0) report.check([...path, "port"], portFault(match.port));
  checkLabels(match.sourceLabels, [...path, "sourceLabels"], report);
  checkGatewayNames(match.gateways, [...path, "gateways"], report);
}

function checkDestinations(routes: readonly WeightedDestinationSpec[], path: Path, report: Report): void {
  if (routes.length === 0) report.error(path, "the rule has no route. Name a destination.");
  for (const [index, { destination }] of routes.entries()) {
    const at = [...path, "route", index];
    if (destination === undefined) report.error(at, "the destination is missing. Name one.");
    else checkDestination(destination, [...at, "destination"], report);
  }
  checkWeights(routes, [...path, "route"], report);
}

function checkSniHost(sni: string, hosts: readonly string[], forGateways: boolean, path: Path, report: Report): void {
  const fault = forGateways ? gatewayHostFault(sni, true) : hostFault(sni);
  if (fault !== undefined) {
    if (isIpAddress(sni)) report.warn(path, `clients send no IP address such as ${quote(sni)} as SNI. Name the host.`);
    else report.error(path, fault);
  } else if (!hosts.some((host) => isHostSubset(sni, host))) {
    report.error(
      path,
      `${quote(sni)} lies in none of the hosts of this VirtualService. Add it to hosts, or correct it.`,
    );
  }
}
