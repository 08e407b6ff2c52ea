/**
 * A VirtualService for some namespaces and one for all of them whose hosts overlap by a wildcard. Istio's analyzer calls
 * it a conflict, and does not where both are for all.
 */

import { isWildcard } from "../compile/host.js";
import { virtualServiceHosts } from "../compile/virtual-service-index.js";
import { effectiveExportTo } from "../compile/visibility.js";
import type { VirtualServiceSpec } from "../kind/virtual-service.js";
import type { Resource } from "../resource.js";
import { hostsOverlap } from "../validate/host-pattern.js";
import { type Finding, placeOf } from "./finding.js";

type VirtualService = Resource<VirtualServiceSpec>;

const CONFLICT = "IST0109";

interface Claim {
  readonly resource: VirtualService;
  readonly host: string;
  readonly path: readonly (string | number)[];
}

/** @param resources those for the mesh */
export function checkOverlaps(
  resources: readonly VirtualService[],
  defaultExportTo: readonly string[],
  report: Finding,
): void {
  const claims = resources.flatMap((resource) =>
    virtualServiceHosts(resource).map((host, index): Claim => ({ resource, host, path: ["spec", "hosts", index] })),
  );
  const isPublic = ({ resource }: Claim) => effectiveExportTo(resource.spec.exportTo, defaultExportTo).includes("*");
  const ofAll = claims.filter(isPublic);
  const told = new Set<Claim>();
  const tell = (claim: Claim, other: Claim): void => {
    if (told.has(claim)) return;
    told.add(claim);
    const message = `"${claim.host}" overlaps with "${other.host}" of ${placeOf(other.resource)}. Where both are seen, the more exact one is used alone. Put both into one VirtualService, or export them to the same namespaces.`;
    report(claim.resource, claim.path, CONFLICT, "error", message);
  };
  for (const claim of claims) {
    if (isPublic(claim)) continue;
    for (const other of ofAll) {
      if (claim.host === other.host || !(isWildcard(claim.host) || isWildcard(other.host))) continue;
      if (!hostsOverlap(claim.host, other.host)) continue;
      tell(claim, other);
      tell(other, claim);
    }
  }
}
