/** Every destination of a VirtualService with the field it stands in. */

import type { DestinationSpec } from "../kind/field.js";
import type { VirtualServiceSpec } from "../kind/virtual-service.js";
import type { Path } from "../resource.js";

export interface RouteDestination {
  readonly destination: DestinationSpec;
  readonly path: Path;
}

export function routeDestinations(spec: VirtualServiceSpec): readonly RouteDestination[] {
  const found: RouteDestination[] = [];
  const take = (destination: DestinationSpec | undefined, path: Path): void => {
    if (destination !== undefined) found.push({ destination, path });
  };
  for (const [index, rule] of (spec.http ?? []).entries()) {
    const at = ["spec", "http", index];
    for (const [n, one] of (rule.route ?? []).entries()) take(one.destination, [...at, "route", n, "destination"]);
    take(rule.mirror, [...at, "mirror"]);
    for (const [n, one] of (rule.mirrors ?? []).entries()) take(one.destination, [...at, "mirrors", n, "destination"]);
  }
  for (const list of ["tcp", "tls"] as const) {
    for (const [index, rule] of (spec[list] ?? []).entries()) {
      const at = ["spec", list, index, "route"];
      for (const [n, one] of (rule.route ?? []).entries()) take(one.destination, [...at, n, "destination"]);
    }
  }
  return found;
}
