/** What the registry shows at the moment: endpoints from the fleet, policy as it was drawn, and the mode. */

import type { SnapshotStore } from "@inmesh/core";
import { type FakeCluster, type FakeRoute, type FakeSnapshotSpec, fakeSnapshot } from "@inmesh/core/testing";
import type { Mode, TrafficPolicy } from "@inmesh/model";
import type { Draw } from "./draw.js";
import type { Fleet } from "./fleet.js";
import { drawPolicy, NO_POLICY, type ServicePolicy } from "./random-policy.js";
import type { World } from "./world.js";

export interface MeshViewOptions {
  readonly world: World;
  readonly fleet: Fleet;
  readonly draw: Draw;
  readonly store: SnapshotStore;
}

export class MeshView {
  mode: Mode = "on";
  /** As published last; who joined since is not in it. */
  readonly #published = new Map<string, ReadonlySet<string>>();
  readonly #policies = new Map<string, ServicePolicy>();
  readonly #options: MeshViewOptions;

  constructor(options: MeshViewOptions) {
    this.#options = options;
    for (const service of options.fleet.services) this.#drawFor(service);
  }

  /** Of a cluster, as the newest snapshot has it; nothing while the mode is not `on`. */
  policy(cluster: string): Partial<TrafficPolicy> {
    if (this.mode !== "on") return {};
    return this.#policies.get(cluster)?.cluster.policy ?? {};
  }

  /** Endpoints of a cluster in the newest snapshot. */
  endpoints(cluster: string): ReadonlySet<string> {
    return this.#published.get(cluster) ?? NOBODY;
  }

  /** Other policy for one service, or another mode for all. */
  change(): void {
    const { draw, fleet, world } = this.#options;
    if (draw.chance(0.2)) {
      this.mode = this.mode === "on" ? draw.oneOf(["off", "observe"] as const) : "on";
      world.note(`mode ${this.mode}`);
    } else this.#drawFor(draw.oneOf(fleet.services));
    this.publish();
  }

  publish(): void {
    const { fleet, store, world } = this.#options;
    const withPolicy = this.#spec((service) => this.#policies.get(service)!); // drawn for every service
    const plain = this.#spec(() => (this.mode === "observe" ? OBSERVED : NO_POLICY));
    const spec: FakeSnapshotSpec = this.mode === "on" ? withPolicy : { ...plain, mode: this.mode, withPolicy };
    for (const service of fleet.services) {
      this.#published.set(service, new Set(fleet.members(service).map(({ id }) => id)));
    }
    world.note(`snapshot ${store.nextVersion}`);
    store.publish(fakeSnapshot({ ...spec, version: store.nextVersion }));
  }

  #drawFor(service: string): void {
    const { draw, fleet, world } = this.#options;
    const policy = drawPolicy(draw, service, fleet.services);
    this.#policies.set(service, policy);
    world.note(`policy of ${service}: ${JSON.stringify(policy)}`);
  }

  #spec(policyOf: (service: string) => ServicePolicy): FakeSnapshotSpec {
    const { fleet } = this.#options;
    const clusters: Record<string, FakeCluster> = {};
    const hosts: Record<string, FakeRoute[]> = {};
    for (const service of fleet.services) {
      const { route, cluster } = policyOf(service);
      clusters[service] = { ...cluster, endpoints: fleet.endpoints(service) };
      hosts[service] = [route];
    }
    return { clusters, hosts };
  }
}

const OBSERVED: ServicePolicy = { route: { observed: true }, cluster: {} };
const NOBODY: ReadonlySet<string> = new Set();
