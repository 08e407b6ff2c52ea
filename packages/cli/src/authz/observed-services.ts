/** What the processes of a registry saw of their callers, by service. */

import type { ObservedCall, ObservedCallsView } from "@inmesh/core/admin";
import type { Cli } from "../cli.js";
import { adminClient } from "../live/admin-client.js";
import { processName, readProcesses } from "../live/processes.js";
import type { OpenRegistry } from "../registry/open-registry.js";
import type { ObservedService } from "./suggestion.js";

export async function observedServices(
  cli: Cli,
  { view: { leases } }: OpenRegistry,
  wanted: (lease: { readonly namespace: string; readonly service: string }) => boolean,
  options: { readonly remote?: boolean; readonly timeout: number },
): Promise<readonly ObservedService[]> {
  const serving = leases.filter((lease) => lease.ports.length > 0 && wanted(lease));
  const readings = await readProcesses<ObservedCallsView>(adminClient(cli, options), serving, "/observed", [
    "calls",
    "beyond",
  ]);
  const services = new Map<string, ObservedService>();
  for (const { lease, view, failure } of readings) {
    if (view === undefined) cli.warn(`${processName(lease)} is not counted: ${failure}`);
    const { namespace, service } = lease;
    const key = `${namespace}/${service}`;
    const known = services.get(key) ?? { namespace, service, leases: [], calls: [], beyond: 0 };
    services.set(key, {
      ...known,
      leases: [...known.leases, lease],
      calls: joined(known.calls, view?.calls ?? []),
      beyond: known.beyond + (view?.beyond ?? 0),
    });
  }
  return [...services].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, service]) => service);
}

/** What several processes of a service saw is one line each. */
function joined(known: readonly ObservedCall[], more: readonly ObservedCall[]): readonly ObservedCall[] {
  const lines = new Map<string, ObservedCall>();
  for (const call of [...known, ...more]) {
    const key = JSON.stringify([call.caller, call.method, call.path]);
    const same = lines.get(key);
    lines.set(
      key,
      same === undefined
        ? call
        : {
            ...call,
            count: same.count + call.count,
            denied: same.denied + call.denied,
            firstAgoMs: Math.max(same.firstAgoMs, call.firstAgoMs),
            lastAgoMs: Math.min(same.lastAgoMs, call.lastAgoMs),
          },
    );
  }
  return [...lines.values()];
}
