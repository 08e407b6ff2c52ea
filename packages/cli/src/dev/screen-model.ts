/** Gathers what the screen shows: our children, the leases in the folder, and the figures. */

import type { Lease } from "@inmesh/core";
import type { Mode } from "@inmesh/model";
import type { EventLog } from "./event-log.js";
import type { Instance } from "./instance.js";
import { leaseOf } from "./lease-match.js";
import type { Member, MeshWatch } from "./mesh-watch.js";
import type { InstanceRow, ScreenModel, ServiceRow } from "./screen.js";
import type { Supervisor } from "./supervisor.js";

export interface ScreenState {
  readonly supervisor: Supervisor;
  readonly watch: MeshWatch;
  readonly events: EventLog;
  /** When the session began, `performance.now()`. */
  readonly startedAt: number;
  readonly scripted: boolean;
  readonly fault: string;
  readonly help: boolean;
}

export function screenModel({ supervisor, watch, events, startedAt, scripted, fault, help }: ScreenState): ScreenModel {
  return {
    upMs: performance.now() - startedAt,
    policy: policyMode(watch.members),
    fault,
    services: serviceRows(supervisor.instances, watch.members),
    edges: watch.edges.filter(({ requestsPerSecond }) => requestsPerSecond > 0),
    events: events.events,
    scripted,
    help,
  };
}

/** The narrowest that any process tells. */
export function policyMode(members: readonly Member[]): Mode {
  const told = (mode: Mode): boolean => members.some(({ info }) => info?.mode === mode);
  return told("off") ? "off" : told("observe") ? "observe" : "on";
}

/** Children that have no lease yet are starting; leases that are no children of ours were started elsewhere. */
function serviceRows(instances: readonly Instance[], members: readonly Member[]): ServiceRow[] {
  const leases = members.map(({ lease }) => lease);
  const rows: (InstanceRow & { readonly service: string })[] = [];
  const ours = new Set<Lease>();
  for (const instance of instances) {
    const lease = leaseOf(instance, instances, leases);
    if (lease !== undefined) ours.add(lease);
    const member = members.find((each) => each.lease === lease);
    const row = member === undefined ? undefined : rowOf(member);
    const version = instance.spec.version ?? "";
    rows.push(row ?? { service: instance.spec.service, pid: instance.pid, port: 0, version, state: "starting" });
  }
  const children = new Set(rows.map(({ service }) => service));
  for (const member of members) {
    // A helper that a child started (npm, a worker) has a lease of its own and says nothing new.
    const helper = member.lease.ports.length === 0 && children.has(member.lease.service);
    if (!ours.has(member.lease) && !helper) rows.push(rowOf(member));
  }
  const services = new Map<string, InstanceRow[]>();
  for (const { service, ...row } of rows) services.set(service, [...(services.get(service) ?? []), row]);
  return [...services]
    .map(([service, all]) => ({ service, instances: all.sort(byVersion) }))
    .sort((a, b) => (a.service < b.service ? -1 : 1));
}

function rowOf({ lease, info }: Member): InstanceRow & { readonly service: string } {
  const { service, pid, ports, labels } = lease;
  return { service, pid, port: ports[0]?.number ?? 0, version: labels["version"] ?? "", state: info?.state ?? "ready" };
}

function byVersion(a: InstanceRow, b: InstanceRow): number {
  return a.version < b.version ? -1 : a.version > b.version ? 1 : a.pid - b.pid;
}
