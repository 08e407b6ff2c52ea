/**
 * Services that a Sidecar names host by host: whoever wrote it knows what the client calls, so their instances are wanted
 * before the first call. Patterns mean whatever there may be, and ask for nothing.
 */

import type { Service, ServiceRef } from "../snapshot/workload.js";
import { nameKey } from "./known-names.js";
import type { SidecarScope } from "./sidecar-scope.js";

export const NO_EGRESS: readonly ServiceRef[] = [];

/** Each is a watch in the registry; those beyond wait for a call. */
const MOST = 200;

/** @param services that the client sees */
export function egressServices(
  { named }: Pick<SidecarScope, "named">,
  services: { readonly byHost: ReadonlyMap<string, Service> },
): readonly ServiceRef[] {
  const found = new Map<string, ServiceRef>();
  for (const { namespace, host } of named) {
    const service = services.byHost.get(host);
    if (service === undefined || (namespace !== "*" && namespace !== service.namespace)) continue;
    for (const name of service.knownAs ?? []) found.set(nameKey(name), name);
    if (found.size >= MOST) break;
  }
  return [...found.values()].slice(0, MOST);
}
