/** Every cluster this process has called, by name. Created on the first call, kept while the snapshot knows the name. */

import type { Snapshot } from "@inmesh/model";
import { type ClusterOptions, ClusterRuntime } from "./cluster-runtime.js";

export class Clusters {
  readonly #options: ClusterOptions;
  readonly #byName = new Map<string, ClusterRuntime>();
  /** The newest one: a call may still be pinned to an older. */
  #snapshot: Snapshot | undefined;

  constructor(options: ClusterOptions) {
    this.#options = options;
  }

  /** @returns undefined when the snapshot has no such cluster: Envoy's NC */
  get(snapshot: Snapshot, name: string): ClusterRuntime | undefined {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    // Routing is the pinned snapshot's; who runs where is the newest one's, or the cluster would start out of date.
    const newest = this.#snapshot;
    return (newest && this.#create(newest, name)) ?? this.#create(snapshot, name);
  }

  /** Brings every known cluster to `snapshot`; those it no longer has are closed. */
  update(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    for (const [name, cluster] of this.#byName) {
      const config = snapshot.cluster(name);
      if (config !== undefined) {
        cluster.update(snapshot, config);
        continue;
      }
      cluster.close();
      this.#byName.delete(name);
    }
  }

  /** @returns undefined for one that has not been called */
  find(name: string): ClusterRuntime | undefined {
    return this.#byName.get(name);
  }

  all(): readonly ClusterRuntime[] {
    return [...this.#byName.values()];
  }

  close(): void {
    for (const cluster of this.#byName.values()) cluster.close();
    this.#byName.clear();
  }

  #create(snapshot: Snapshot, name: string): ClusterRuntime | undefined {
    const config = snapshot.cluster(name);
    if (config === undefined) return undefined;
    const created = new ClusterRuntime(snapshot, config, this.#options);
    this.#byName.set(name, created);
    return created;
  }
}
