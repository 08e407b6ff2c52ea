/** What Istio's validation demands of a VirtualService beyond its schema. policy-semantics §6.3. */

import type { VirtualServiceSpec } from "../kind/virtual-service.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import { isClaimName } from "./header-syntax.js";
import { hostsOverlap } from "./host-pattern.js";
import { checkHttpRoute } from "./http-route.js";
import { checkTcpRoute, checkTlsRoute } from "./layer4-route.js";
import { gatewayHostFault, hostFault, isIpAddress } from "./name-syntax.js";
import type { Report } from "./report.js";
import { checkReachability } from "./route-reachability.js";
import { checkExportTo, checkGatewayNames } from "./shared-rules.js";

/** Name of the gateway that stands for all clients in the mesh. */
const MESH = "mesh";

export function checkVirtualService(spec: VirtualServiceSpec, path: Path, report: Report): void {
  const { hosts = [], gateways = [], http = [], tls = [], tcp = [] } = spec;
  const isDelegate = hosts.length === 0;
  const forGateways = gateways.length > 0 && !gateways.includes(MESH);
  if (isDelegate) checkDelegate(spec, path, report);
  checkGatewayNames(gateways, [...path, "gateways"], report);
  if (!forGateways) checkClaims(spec, path, report);
  checkHosts(spec, forGateways, path, report);
  if (http.length + tls.length + tcp.length === 0) {
    report.error(path, "there is no rule: http, tls and tcp are all empty. Write at least one route.");
  }
  for (const [index, route] of http.entries()) checkHttpRoute(route, isDelegate, [...path, "http", index], report);
  for (const [index, route] of tls.entries()) checkTlsRoute(route, hosts, forGateways, [...path, "tls", index], report);
  for (const [index, route] of tcp.entries()) checkTcpRoute(route, [...path, "tcp", index], report);
  checkExportTo(spec.exportTo, [...path, "exportTo"], report);
  checkReachability(spec, path, report);
}

/** Without hosts it can only be a delegate, and a delegate has http rules only. */
function checkDelegate(spec: VirtualServiceSpec, path: Path, report: Report): void {
  for (const field of ["gateways", "tls", "tcp"] as const) {
    if ((spec[field]?.length ?? 0) === 0) continue;
    report.error(
      [...path, field],
      `without hosts this is a delegate, and a delegate has no ${field}. Name hosts, or remove ${field}.`,
    );
  }
}

function checkClaims(spec: VirtualServiceSpec, path: Path, report: Report): void {
  for (const [index, route] of (spec.http ?? []).entries()) {
    for (const [matchIndex, match] of (route.match ?? []).entries()) {
      for (const field of ["headers", "withoutHeaders"] as const) {
        for (const name of Object.keys(match[field] ?? {})) {
          if (!isClaimName(name)) continue;
          const at = [...path, "http", index, "match", matchIndex, field, name];
          report.error(
            at,
            "claims of a token can only be matched at a gateway. Match a header instead, or name gateways.",
          );
        }
      }
    }
  }
}

function checkHosts(
  { hosts = [], tls = [] }: VirtualServiceSpec,
  forGateways: boolean,
  path: Path,
  report: Report,
): void {
  const hasSni = tls.some(({ match = [] }) => match.some(({ sniHosts = [] }) => sniHosts.length > 0));
  let valid = true;
  for (const [index, host] of hosts.entries()) {
    const at = [...path, "hosts", index];
    const fault = forGateways ? gatewayHostFault(host, hasSni) : hostFault(host);
    if (fault !== undefined && !isIpAddress(host)) report.error(at, fault);
    else if (host === "*" && !forGateways) {
      report.error(
        at,
        'host "*" would take over every host of the mesh. Name the hosts, or name gateways without "mesh".',
      );
    } else continue;
    valid = false;
  }
  if (!valid) return;
  for (const [index, host] of hosts.entries()) {
    const twin = hosts.slice(0, index).find((earlier) => hostsOverlap(earlier, host));
    if (twin !== undefined) {
      report.error(
        [...path, "hosts", index],
        `host ${quote(host)} is covered by ${quote(twin)} above. Remove one of the two.`,
      );
    }
  }
}
