/**
 * Workloads by the service they say they belong to, and by label. Immutable: a change makes a new index that shares all
 * groups it does not touch, so that a group's identity says whether its members changed.
 */

import type { Workload } from "../snapshot/workload.js";
import { getOrMake } from "./get-or-make.js";
import type { Labels } from "./labels.js";
import { hasLabels } from "./labels.js";
import { listChange } from "./order.js";

export type Members = readonly Workload[];

const NOBODY: Members = [];
type Groups = ReadonlyMap<string, Members>;

export class WorkloadIndex {
  readonly workloads: Members;
  /** By `namespace/service`. */
  readonly leases: Groups;
  /** By `namespace/label key`, then by value. Filled when a selector first uses the key. */
  readonly #byLabel: Map<string, Groups>;

  private constructor(workloads: Members, leases: Groups, byLabel: Map<string, Groups>) {
    this.workloads = workloads;
    this.leases = leases;
    this.#byLabel = byLabel;
  }

  static create(workloads: Members): WorkloadIndex {
    return new WorkloadIndex(workloads, grouped(workloads, leaseKey), new Map());
  }

  /** @returns this index when `workloads` hold the same objects */
  with(workloads: Members): WorkloadIndex {
    const { removed, added } = listChange(this.workloads, workloads);
    if (removed.length === 0 && added.length === 0) return this;
    if (removed.length + added.length > workloads.length / 4) return WorkloadIndex.create(workloads);
    const byLabel = new Map<string, Groups>();
    for (const [key, groups] of this.#byLabel) byLabel.set(key, regrouped(groups, removed, added, labelKey(key)));
    return new WorkloadIndex(workloads, regrouped(this.leases, removed, added, leaseKey), byLabel);
  }

  ofService(namespace: string, service: string): Members {
    return this.leases.get(`${namespace}/${service}`) ?? NOBODY;
  }

  /** Workloads of a namespace whose labels contain `selector`; nobody for an empty one. */
  selected(namespace: string, selector: Labels): Members {
    const first = Object.keys(selector)[0];
    if (first === undefined) return NOBODY;
    const index = `${namespace}/${first}`;
    const groups = getOrMake(this.#byLabel, index, () => grouped(this.workloads, labelKey(index)));
    const candidates = groups.get(selector[first] ?? "") ?? NOBODY;
    const chosen = candidates.filter(({ labels }) => hasLabels(labels, selector));
    return chosen.length === candidates.length ? candidates : chosen;
  }
}

type KeyOf = (workload: Workload) => string | undefined;

/** A process without ports only calls: it is no part of a service. */
function leaseKey({ namespace, service, ports }: Workload): string | undefined {
  return service === undefined || ports.length === 0 ? undefined : `${namespace}/${service}`;
}

function labelKey(index: string): KeyOf {
  const slash = index.indexOf("/");
  const namespace = index.slice(0, slash);
  const key = index.slice(slash + 1);
  return (workload) => (workload.namespace === namespace ? workload.labels[key] : undefined);
}

function grouped(workloads: Members, keyOf: KeyOf): Groups {
  const groups = new Map<string, Workload[]>();
  for (const workload of workloads) {
    const key = keyOf(workload);
    if (key !== undefined) getOrMake(groups, key, () => []).push(workload);
  }
  return groups;
}

function regrouped(before: Groups, removed: Members, added: Members, keyOf: KeyOf): Groups {
  let after: Map<string, Members> | undefined;
  const edit = (workload: Workload, change: (members: Members) => Members): void => {
    const key = keyOf(workload);
    if (key === undefined) return;
    after ??= new Map(before);
    const members = change(after.get(key) ?? NOBODY);
    if (members.length === 0) after.delete(key);
    else after.set(key, members);
  };
  for (const workload of removed) edit(workload, (members) => members.filter((member) => member !== workload));
  for (const workload of added) edit(workload, (members) => [...members, workload]);
  return after ?? before;
}
