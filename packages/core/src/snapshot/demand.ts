/**
 * Which services this process uses, for a registry that tells instances only of those: what calls need, what policy
 * declares, and what an earlier run used. Keeps saying so of what is declared, and forgets what nobody called for an hour,
 * as registries do.
 */

import type { Clock, Timer } from "../runtime/clock.js";
import type { ServiceRef } from "./source.js";

/** A service in use, as the next start is to know of it. */
export interface UsedService extends ServiceRef {
  /** For how long nobody had called it by then, in whole looks. In ms. */
  readonly idleMs: number;
}

export interface DemandOptions {
  /** The registry's ear. */
  readonly use: (service: ServiceRef) => void;
  readonly clock: Clock;
  /** `used` is another list now. */
  readonly onChange: () => void;
}

/** A service is forgotten when nobody called it for so long, in ms. */
const IDLE_MS = 3_600_000;
/** Between two looks at who is idle, in ms. */
const LOOK_MS = 600_000;
/** Services remembered for the next start: each is a watch before the first call. */
const MOST_REMEMBERED = 500;

interface Use {
  readonly service: ServiceRef;
  usedAt: number;
  /** The same object until `idleMs` is another. */
  told: UsedService;
}

export class Demand {
  readonly #options: DemandOptions;
  /** By `namespace/service`. */
  readonly #uses = new Map<string, Use>();
  #declared: readonly ServiceRef[] = [];
  #used: readonly UsedService[] = [];
  readonly #timer: Timer;

  constructor(options: DemandOptions) {
    this.#options = options;
    this.#timer = options.clock.every(LOOK_MS, () => this.#look());
  }

  /** The most recently used first. The same list until it changes. */
  get used(): readonly UsedService[] {
    return this.#used;
  }

  /** Of an earlier run; to be said before the registry is watched, whose first view then has their instances. */
  remember(used: readonly UsedService[]): void {
    const now = this.#options.clock.now();
    for (const { namespace, service, idleMs } of used.slice(0, MOST_REMEMBERED)) {
      this.#note({ namespace, service }, now - Math.max(0, idleMs));
    }
    this.#update();
  }

  /** A call needs it, or still does. */
  use(service: ServiceRef): void {
    if (this.#note(service, this.#options.clock.now())) this.#update();
  }

  /** What policy declares now, in place of what it declared before. */
  declare(services: readonly ServiceRef[]): void {
    const before = new Set(this.#declared.map(keyOf));
    const added = services.filter((service) => !before.has(keyOf(service)));
    this.#declared = services;
    const now = this.#options.clock.now();
    for (const service of added) this.#note(service, now);
    if (added.length > 0) this.#update();
  }

  close(): void {
    this.#timer.cancel();
  }

  /** @returns whether it was in no use before */
  #note(service: ServiceRef, usedAt: number): boolean {
    const key = keyOf(service);
    const known = this.#uses.get(key);
    if (known !== undefined) known.usedAt = Math.max(known.usedAt, usedAt);
    else this.#uses.set(key, { service, usedAt, told: { ...service, idleMs: 0 } });
    this.#options.use(service);
    return known === undefined;
  }

  #look(): void {
    const now = this.#options.clock.now();
    for (const service of this.#declared) this.#note(service, now);
    for (const [key, { usedAt }] of this.#uses) if (now - usedAt >= IDLE_MS) this.#uses.delete(key);
    this.#update();
  }

  #update(): void {
    const now = this.#options.clock.now();
    const recent = [...this.#uses.values()].sort((a, b) => b.usedAt - a.usedAt).slice(0, MOST_REMEMBERED);
    const used = recent.map((use) => {
      const idleMs = Math.floor((now - use.usedAt) / LOOK_MS) * LOOK_MS;
      if (use.told.idleMs !== idleMs) use.told = { ...use.told, idleMs };
      return use.told;
    });
    const known = new Set(this.#used);
    if (used.length === known.size && used.every((one) => known.has(one))) return; // their order says nothing
    this.#used = used;
    this.#options.onChange();
  }
}

function keyOf({ namespace, service }: ServiceRef): string {
  return `${namespace}/${service}`;
}
