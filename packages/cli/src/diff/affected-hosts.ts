/** Whose calls a new set of policy changes: each running process's view, compiled before and after, compared part by part. */

import type { Clock, Lease, RegistryView } from "@inmesh/core";
import { type ClientContext, clusterName, type Document, type Snapshot, type VirtualHost } from "@inmesh/model";
import { processName } from "../live/processes.js";
import { compileViews } from "../registry/compile-view.js";

/** Share of calls that a rule sends somewhere. */
export interface Share {
  readonly subset: string;
  readonly host: string;
  /** 0–1. */
  readonly before: number;
  readonly after: number;
  readonly endpoints: number;
}

export interface AffectedHost {
  readonly host: string;
  /** `namespace/instance` of the processes whose view of it changes. */
  readonly processes: readonly string[];
  /** `namespace/service` of these. */
  readonly services: readonly string[];
  /** Of the one rule whose weights change; undefined when several do, or none. */
  readonly shift: { readonly everything: boolean; readonly shares: readonly Share[] } | undefined;
}

export async function affectedHosts(
  before: RegistryView,
  after: RegistryView,
  clock: Clock,
): Promise<readonly AffectedHost[]> {
  const found = new Map<string, { processes: string[]; services: Set<string>; shift: AffectedHost["shift"] }>();
  for (const [client, leases] of clientsOf(before.leases)) {
    const [old, now] = await compileViews([before, after], client, clock);
    if (old === undefined || now === undefined) continue;
    for (const [host, shift] of changedHosts(old, now, subsetsIn([...before.documents, ...after.documents]))) {
      const entry = found.get(host) ?? { processes: [], services: new Set<string>(), shift };
      entry.processes.push(...leases.map(processName));
      for (const { namespace, service } of leases) entry.services.add(`${namespace}/${service}`);
      found.set(host, entry);
    }
  }
  return [...found]
    .map(([host, { processes, services, shift }]) => ({ host, processes, services: [...services].sort(), shift }))
    .sort((a, b) => (a.host < b.host ? -1 : 1));
}

/** Processes with one view of the mesh. Without any, a caller of no name stands for those to come. */
function clientsOf(leases: readonly Lease[]): [ClientContext, Lease[]][] {
  const clients = new Map<string, [ClientContext, Lease[]]>();
  for (const lease of leases) {
    const { namespace, service, labels, serviceAccount, locality } = lease;
    const client: ClientContext = {
      ...{ namespace, service, labels },
      ...(serviceAccount !== undefined && { serviceAccount }),
      ...(locality !== undefined && { locality }),
    };
    const key = JSON.stringify(client);
    const entry = clients.get(key) ?? [client, []];
    entry[1].push(lease);
    clients.set(key, entry);
  }
  return clients.size > 0 ? [...clients.values()] : [[{ namespace: "default", service: "", labels: {} }, []]];
}

/** The compiler keeps every part that did not change, so another object is another meaning. */
function changedHosts(
  before: Snapshot,
  after: Snapshot,
  subsets: readonly string[],
): Map<string, AffectedHost["shift"]> {
  const changed = new Map<string, AffectedHost["shift"]>();
  const old = new Map(before.routes.all().map((host) => [host.name, host]));
  const now = new Map(after.routes.all().map((host) => [host.name, host]));
  for (const name of new Set([...old.keys(), ...now.keys()])) {
    const [was, is] = [old.get(name), now.get(name)];
    const host = name.slice(0, name.lastIndexOf(":"));
    const port = (is ?? was)?.port ?? 0;
    const names = ["", ...subsets].map((subset) => clusterName(port, subset, host));
    if (was === is && names.every((cluster) => sameCluster(before, after, cluster))) continue;
    changed.set(host, changed.get(host) ?? shiftOf(was, is, after));
  }
  return changed;
}

function sameCluster(before: Snapshot, after: Snapshot, name: string): boolean {
  const [was, is] = [before.cluster(name), after.cluster(name)];
  if (was === is) return true;
  if (was === undefined || is === undefined) return false;
  return (
    was.policy === is.policy || JSON.stringify([was.policy, was.labels]) === JSON.stringify([is.policy, is.labels])
  );
}

function shiftOf(was: VirtualHost | undefined, is: VirtualHost | undefined, after: Snapshot): AffectedHost["shift"] {
  if (was === undefined || is === undefined || was.routes.length !== is.routes.length) return undefined;
  const shifts = is.routes.flatMap((route, at) => {
    const old = was.routes[at]!; // of one length
    if (route.action.kind !== "forward" || old.action.kind !== "forward") return [];
    const shares = new Map<string, Share>();
    for (const [which, action] of [["before", old.action] as const, ["after", route.action] as const]) {
      for (const { cluster, host, subset, weight } of action.destinations) {
        const share = action.totalWeight === 0 ? 0 : weight / action.totalWeight;
        const known = shares.get(cluster) ?? {
          subset,
          host,
          before: 0,
          after: 0,
          endpoints: endpointsOf(after, cluster),
        };
        shares.set(cluster, { ...known, [which]: share });
      }
    }
    const moved = [...shares.values()].some((share) => Math.abs(share.before - share.after) > 1e-9);
    return moved ? [{ everything: route.matches.length === 0, shares: [...shares.values()] }] : [];
  });
  return shifts.length === 1 ? shifts[0] : undefined;
}

function endpointsOf(snapshot: Snapshot, name: string): number {
  const cluster = snapshot.cluster(name);
  return cluster === undefined ? 0 : snapshot.endpoints(cluster).endpoints.length;
}

function subsetsIn(documents: readonly Document[]): string[] {
  const names = documents
    .filter(({ kind }) => kind === "DestinationRule")
    .flatMap(({ value }) => {
      const { spec } = value as { readonly spec?: { readonly subsets?: unknown } };
      return Array.isArray(spec?.subsets) ? (spec.subsets as { readonly name?: unknown }[]) : [];
    });
  return [...new Set(names.flatMap((subset) => (typeof subset?.name === "string" ? [subset.name] : [])))];
}
