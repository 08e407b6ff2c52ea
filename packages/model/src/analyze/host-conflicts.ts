/** Several VirtualServices for one host: only the first in order is used. policy-semantics §1.2. */

import { qualifiedHost } from "../compile/host.js";
import { compareAge } from "../compile/order.js";
import { isForMesh, virtualServiceHosts } from "../compile/virtual-service-index.js";
import { effectiveExportTo, isVisible } from "../compile/visibility.js";
import type { VirtualServiceSpec } from "../kind/virtual-service.js";
import type { Resource } from "../resource.js";
import { type Finding, placeOf } from "./finding.js";
import { checkOverlaps } from "./host-overlaps.js";

type VirtualService = Resource<VirtualServiceSpec>;

const CONFLICT = "IST0109";
/** Istio's analyzer does not see these, its proxies do. */
const CONFLICT_OF_CASE = "IM0303";

export function checkHostConflicts(
  resources: readonly VirtualService[],
  refused: ReadonlySet<Resource>,
  defaultExportTo: readonly string[],
  report: Finding,
): void {
  const byHost = new Map<string, VirtualService[]>();
  const forMesh = resources.filter(isForMesh).sort(compareAge);
  for (const resource of forMesh) {
    for (const [index, host] of virtualServiceHosts(resource).entries()) {
      const before = byHost.get(host) ?? [];
      if (before.at(-1) === resource) reportTwice(resource, host, index, report);
      else byHost.set(host, [...before, resource]);
    }
  }
  for (const [host, claimants] of byHost) {
    if (claimants.length > 1) reportHost(host, claimants, refused, defaultExportTo, report);
  }
  checkOverlaps(forMesh, defaultExportTo, report);
}

/** Harmless, but istioctl takes the two for a conflict. */
function reportTwice(resource: VirtualService, host: string, index: number, report: Finding): void {
  const message = `the host ${host} stands twice in this VirtualService, perhaps once by its short name. Keep one of them.`;
  report(resource, ["spec", "hosts", index], CONFLICT, "error", message);
}

function reportHost(
  host: string,
  claimants: readonly VirtualService[],
  refused: ReadonlySet<Resource>,
  defaultExportTo: readonly string[],
  report: Finding,
): void {
  for (const resource of claimants) {
    const rivals = claimants.filter((other) => other !== resource && meet(resource, other, defaultExportTo));
    const [first] = rivals;
    if (first === undefined) continue;
    const index = virtualServiceHosts(resource).indexOf(host);
    const caseOnly = rivals.every((rival) => !writesSame(resource, rival, host));
    const wins = rivals.every((rival) => compareAge(resource, rival) < 0);
    const effect = [resource, ...rivals].some((each) => refused.has(each))
      ? "Of those that are valid, the oldest is used; the rules of the others are ignored for the host"
      : wins
        ? "This one is older and used; the other one's rules for the host are ignored"
        : "An older one is used; the rules here are ignored for this host";
    report(
      resource,
      ["spec", "hosts", index],
      caseOnly ? CONFLICT_OF_CASE : CONFLICT,
      "error",
      `"${host}" is also claimed by ${rivals.map(placeOf).join(" and ")}. ${effect}. Put all rules of a host into one VirtualService.`,
    );
  }
}

/** Both mean `host` by names in the same case. */
function writesSame(a: VirtualService, b: VirtualService, host: string): boolean {
  const inLowerCase = ({ spec, namespace }: VirtualService): boolean =>
    (spec.hosts ?? []).some((name) => qualifiedHost(name, namespace) === host && name === name.toLowerCase());
  return inLowerCase(a) === inLowerCase(b);
}

/** Some namespace sees both. */
function meet(a: VirtualService, b: VirtualService, defaultExportTo: readonly string[]): boolean {
  const scopes = (resource: VirtualService): readonly string[] =>
    effectiveExportTo(resource.spec.exportTo, defaultExportTo).map((entry) =>
      entry === "." ? resource.namespace : entry,
    );
  const ofA = scopes(a);
  const ofB = scopes(b);
  if (ofA.includes("*") || ofB.includes("*")) return true;
  return ofA.some((namespace) => isVisible(ofB, b.namespace, namespace));
}
