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
  /** The registry tells instances only of services in use. */
  readonly lazy: boolean;
}

export class MeshView {
  mode: Mode = "on";
  /** As published last; who joined since is not in it. */
  readonly #published = new Map<string, ReadonlySet<string>>();
  readonly #policies = new Map<string, ServicePolicy>();
  /** Services that were used, where that counts. */
  readonly #told = new Set<string>();
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

  /** Its instances are not in the newest snapshot, because nobody used it, or did so a moment ago. */
  isPending(service: string): boolean {
    return this.#options.lazy && !this.#told.has(service);
  }

  /** Somebody uses it: its instances are told from now on. */
  tell(service: string): void {
    const { world } = this.#options;
    world.note(`instances of ${service} are told`);
    this.#told.add(service);
    this.publish();
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
      const told = this.isPending(service) ? [] : fleet.members(service);
      this.#published.set(service, new Set(told.map(({ id }) => id)));
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
    const { fleet, lazy } = this.#options;
    const clusters: Record<string, FakeCluster> = {};
    const hosts: Record<string, FakeRoute[]> = {};
    for (const service of fleet.services) {
      const { route, cluster } = policyOf(service);
      const pending = this.isPending(service);
      const told = { knownAs: [{ namespace: "default", service }], ...(pending && { pending }) };
      clusters[service] = { ...cluster, endpoints: pending ? [] : fleet.endpoints(service), ...(lazy && { told }) };
      hosts[service] = [route];
    }
    return { clusters, hosts };
  }
}

const OBSERVED: ServicePolicy = { route: { observed: true }, cluster: {} };
const NOBODY: ReadonlySet<string> = new Set();
