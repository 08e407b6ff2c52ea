/** The services of a simulation and the endpoints behind them, each with habits of its own. */

import type { FakeCluster } from "@inmesh/core/testing";
import type { Draw } from "./draw.js";
import type { Fault } from "./fault.js";

export interface SimEndpoint {
  /** `address:port`. */
  readonly id: string;
  readonly service: string;
  readonly locality: { readonly region: string; readonly zone: string; readonly subZone: string };
  weight: number;
  version: string;
  /** Half of its answers come faster, in ms. */
  readonly medianMs: number;
  /** Of the logarithm of its latencies. */
  readonly spread: number;
  /** Share of its answers that are errors on a good day, 0–1. */
  readonly errorRatio: number;
  /** What is wrong with it at the moment. */
  readonly faults: Set<Fault>;
}

export const ZONES = ["a", "b", "c"];
/** Where the simulated process runs. */
export const HOME = { region: "r", zone: "a", subZone: "" };

export class Fleet {
  readonly services: readonly string[];
  /** In the registry, by service. */
  readonly #members = new Map<string, SimEndpoint[]>();
  /** Those that left it, too: attempts may be under way to them. */
  readonly #all = new Map<string, SimEndpoint>();
  readonly #draw: Draw;

  constructor(draw: Draw, services: number) {
    this.#draw = draw;
    this.services = Array.from({ length: services }, (_, index) => `s${index}`);
    for (const service of this.services) {
      this.#members.set(service, []);
      const size = draw.oneOf([1, 2, 3, 3, 5, 8, 12]);
      for (let count = 0; count < size; count++) this.join(service);
    }
  }

  members(service: string): readonly SimEndpoint[] {
    return this.#members.get(service) ?? [];
  }

  get(id: string): SimEndpoint {
    const found = this.#all.get(id);
    if (found === undefined) throw new Error(`nobody has ever been at ${id}`);
    return found;
  }

  join(service: string): SimEndpoint {
    const draw = this.#draw;
    const number = this.#all.size + 1;
    const zone = draw.oneOf(ZONES);
    const endpoint: SimEndpoint = {
      id: `10.0.${number >> 8}.${number & 255}:80`,
      service,
      locality: { ...HOME, zone },
      weight: draw.chance(0.8) ? 1 : draw.whole(0, 5),
      version: draw.oneOf(["v1", "v2"]),
      medianMs: draw.skewed(6, 0.7),
      spread: draw.oneOf([0.1, 0.3, 0.8]),
      errorRatio: draw.chance(0.8) ? 0 : draw.oneOf([0.01, 0.05, 0.3]),
      faults: new Set(),
    };
    this.#all.set(endpoint.id, endpoint);
    this.#members.get(service)!.push(endpoint); // every service has its list
    return endpoint;
  }

  leave({ id, service }: SimEndpoint): void {
    this.#members.set(
      service,
      this.members(service).filter((endpoint) => endpoint.id !== id),
    );
  }

  /** Left a while ago, and is there again at its old address. */
  comeBack(endpoint: SimEndpoint): void {
    if (!this.members(endpoint.service).includes(endpoint)) this.#members.get(endpoint.service)!.push(endpoint);
  }

  /** As the registry shows them. */
  endpoints(service: string): FakeCluster["endpoints"] {
    return this.members(service).map(({ id, weight, version, locality }) => ({
      id,
      weight,
      locality,
      labels: { version },
      workloads: [id],
    }));
  }
}
