/** Waits until every running process has taken a change of policy. */

import { type ApplyResult, type Lease, sleep } from "@inmesh/core";
import type { SnapshotView } from "@inmesh/core/admin";
import type { OpenRegistry } from "../registry/open-registry.js";
import type { AdminClient } from "./admin-client.js";
import { processName, type Reading, readProcesses } from "./processes.js";

export interface ProcessState {
  /** `namespace/instance`. */
  readonly name: string;
  readonly namespace: string;
  readonly service: string;
  readonly instance: string;
  readonly state: "synced" | "behind" | "unreachable";
  /** Of its snapshot; 0 and empty when it did not answer. */
  readonly version: number;
  readonly revision: string;
  /** Keys of the resources it does not have as they are now. */
  readonly behind: readonly string[];
  readonly reason: string;
}

export interface WaitOptions {
  /** Hash by resource key; undefined: the resource must be gone. */
  readonly expected: ReadonlyMap<string, string | undefined>;
  /** Where the registry keeps each: processes that have nothing to do with a service do not read what is for it alone. */
  readonly places: readonly Pick<ApplyResult, "key" | "where">[];
  readonly timeoutMs: number;
  /** Called once for each process that has got there. */
  readonly onSynced: (state: ProcessState) => void;
}

/** In ms, between two questions to a process that is behind. */
const POLL_MS = 50;

/** Ends when all are synced or the time is up: the states say which. Processes that leave meanwhile are not waited for. */
export async function waitForProcesses(
  registry: OpenRegistry,
  client: AdminClient,
  { clock, signal }: { readonly clock: import("@inmesh/core").Clock; readonly signal: AbortSignal },
  { expected, places, timeoutMs, onSynced }: WaitOptions,
): Promise<ProcessState[]> {
  const readBy = new Map(places.map(({ key, where }) => [key, registry.readBy(where)]));
  const giveUpAt = clock.now() + timeoutMs;
  const synced = new Map<string, ProcessState>();
  for (;;) {
    const leases = registry.view.leases;
    const pending = leases.filter(({ name }) => !synced.has(name));
    const readings = await readProcesses<SnapshotView>(client, pending, "/snapshot", ["version", "resources"]);
    const states = new Map(readings.map((reading) => [reading.lease.name, stateOf(reading, expected, readBy)]));
    for (const [name, state] of states) {
      if (state.state !== "synced") continue;
      synced.set(name, state);
      onSynced(state);
    }
    const present = registry.view.leases;
    const behind = present.some(({ name }) => !synced.has(name));
    if (!behind || clock.now() >= giveUpAt) {
      return present.flatMap((lease) => synced.get(lease.name) ?? states.get(lease.name) ?? []);
    }
    await sleep(clock, POLL_MS, signal);
  }
}

function stateOf(
  { lease, view, failure }: Reading<SnapshotView>,
  expected: ReadonlyMap<string, string | undefined>,
  readBy: ReadonlyMap<string, string | undefined>,
): ProcessState {
  const { namespace, service, instance } = lease;
  const who = { name: processName(lease), namespace, service, instance };
  if (view === undefined) {
    return { ...who, state: "unreachable", version: 0, revision: "", behind: [...expected.keys()], reason: failure };
  }
  const { version, revision, resources, problems } = view;
  const behind = [...expected]
    .filter(([key, hash]) => hashOf(resources, key) !== hash && reads(view, readBy.get(key)))
    .map(([key]) => key);
  if (behind.length === 0) return { ...who, state: "synced", version, revision, behind, reason: "" };
  const refusal = problems?.find(({ severity, resource }) => severity === "error" && behind.includes(resource));
  const reason = refusal === undefined ? `has not taken ${behind.join(", ")}` : `${refusal.code} ${refusal.message}`;
  return { ...who, state: "behind", version, revision, behind, reason };
}

/** @param service whose users alone read it; undefined: everybody does */
export function reads({ policyOf }: Pick<SnapshotView, "policyOf">, service: string | undefined): boolean {
  return service === undefined || policyOf === undefined || policyOf.includes(service);
}

function hashOf(resources: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(resources, key) ? resources[key] : undefined;
}

/** A process that has no admin endpoint cannot be asked, so it is not waited for. */
export function askable(leases: readonly Lease[]): readonly Lease[] {
  return leases.filter(({ admin }) => admin !== undefined);
}
