/** What VirtualServices name and the mesh does not have: hosts, ports, subsets, delegates. policy-semantics §6.8. */

import type { DestinationPolicy } from "../compile/destination-rule-index.js";
import { qualifiedHost } from "../compile/host.js";
import type { ClientView } from "../compile/view.js";
import type { DestinationSpec } from "../kind/field.js";
import type { VirtualServiceSpec } from "../kind/virtual-service.js";
import type { Path, Resource } from "../resource.js";
import type { Service } from "../snapshot/workload.js";
import { nearestName } from "../validate/nearest-name.js";
import { type Finding, suggestion } from "./finding.js";
import { routeDestinations } from "./route-destinations.js";
import type { AnalyzedSet } from "./views.js";

const NOT_FOUND = "IST0101";
/** Without a registry istioctl does not look for hosts and ports, so its code would be a difference. */
const UNDECLARED = "IM0302";
const PORT_REQUIRED = "IST0112";

export function checkReferences(resource: Resource<VirtualServiceSpec>, set: AnalyzedSet, report: Finding): void {
  const view = set.viewOf(resource.namespace);
  for (const { destination, path } of routeDestinations(resource.spec)) {
    checkDestination(resource, destination, path, view, set.live, report);
  }
  checkDelegates(resource, view, report);
}

function checkDestination(
  resource: Resource,
  destination: DestinationSpec,
  path: Path,
  view: ClientView,
  live: boolean,
  report: Finding,
): void {
  const host = qualifiedHost(destination.host ?? "", resource.namespace);
  const service = view.service(host);
  if (service === undefined) {
    const near = nearestName(destination.host ?? "", namesOf(view, resource.namespace));
    const fact = `no Service${live ? ", no ServiceEntry and no running process" : " or ServiceEntry among these documents"} that namespace "${resource.namespace}" sees has the host "${destination.host}" (${host})`;
    const effect = live
      ? "Requests sent there get 503."
      : "Until a process of that name runs, requests sent there get 503.";
    const message = `${fact}. ${effect}${suggestion(near)} Correct the name, or declare the host.`;
    const severity = live ? "error" : near === undefined ? "info" : "warning";
    report(resource, [...path, "host"], live ? NOT_FOUND : UNDECLARED, severity, message);
  } else checkPort(resource, destination, path, service, live, report);
  if (destination.subset) checkSubset(resource, destination, path, view.destinationPolicy(host, service), report);
}

function checkPort(
  resource: Resource,
  { host, port }: DestinationSpec,
  path: Path,
  service: Service,
  live: boolean,
  report: Finding,
): void {
  if (service.implicit) return; // every port is its own, and none need be named
  const numbers = service.ports.map(({ number }) => number);
  const wanted = port?.number;
  if (!wanted) {
    if (numbers.length < 2) return;
    const message = `"${host}" has the ports ${numbers.join(", ")}, and the destination names none: it depends on the port each caller used. Add port.number.`;
    report(resource, [...path, "host"], PORT_REQUIRED, "error", message);
  } else if (!numbers.includes(wanted)) {
    const message = `"${host}" has no port ${wanted}, only ${numbers.join(", ")}. Requests sent there get 503. Name one of its ports.`;
    report(resource, [...path, "port", "number"], live ? NOT_FOUND : UNDECLARED, "error", message);
  }
}

function checkSubset(
  resource: Resource,
  { host, subset = "" }: DestinationSpec,
  path: Path,
  policy: DestinationPolicy | undefined,
  report: Finding,
): void {
  // Istio compares the host of a destination as it is written; we do not, but what is not portable is told.
  const portable = host === host?.toLowerCase();
  if (policy?.subsets.has(subset) && portable) return;
  const known = [...(policy?.subsets.keys() ?? [])];
  const fact = !portable
    ? `"${host}" is not in lower case, and Istio then finds no subset "${subset}"`
    : policy === undefined
      ? `no DestinationRule that applies here is for "${host}", so it has no subset "${subset}"`
      : `"${host}" has no subset "${subset}", only ${known.length === 0 ? "none" : known.join(", ")}`;
  const message = `${fact}. Requests sent there get 503.${suggestion(nearestName(subset, known))} Define the subset in a DestinationRule.`;
  report(resource, [...path, "subset"], NOT_FOUND, "error", message);
}

function checkDelegates(resource: Resource<VirtualServiceSpec>, view: ClientView, report: Finding): void {
  for (const [index, { delegate }] of (resource.spec.http ?? []).entries()) {
    if (delegate === undefined) continue;
    const namespace = delegate.namespace || resource.namespace;
    const name = delegate.name ?? "";
    if (view.virtualServices.delegate(namespace, name, resource.namespace) !== undefined) continue;
    const existing = view.document(`VirtualService/${namespace}/${name}`) as Resource<VirtualServiceSpec> | undefined;
    const why =
      existing === undefined
        ? "does not exist"
        : (existing.spec.hosts ?? []).length > 0
          ? "has hosts of its own, which a delegate must not have"
          : `is not exported to namespace "${resource.namespace}"`;
    const message = `the delegate VirtualService ${namespace}/${name} ${why}. This rule is skipped. Correct the name or the delegate.`;
    report(resource, ["spec", "http", index, "delegate"], NOT_FOUND, "error", message);
  }
}

/** As a rule of the namespace may write them. */
function* namesOf(view: ClientView, namespace: string): Iterable<string> {
  for (const { host, name, namespace: owner } of view.services.byHost.values()) {
    if (owner === namespace && host.startsWith(`${name}.`)) yield name;
    yield host;
  }
}
