/**
 * A source that tells instances, and policy for one service alone, only of services in use, over one that tells everything: how
 * a registry at scale behaves, for tests, and for whoever wants to see it on one machine.
 */

import type { Document } from "@inmesh/model";
import type { Clock, Timer } from "../runtime/clock.js";
import type { KnownService, RegistryView, ServiceRef, Source, SourceStatus } from "./source.js";

export interface LazySourceOptions {
  readonly source: Source;
  readonly clock: Clock;
  /** From the first use of a service to its instances, in ms. @default 0 */
  readonly tellAfterMs?: number;
  /** What nobody used for this long is told no more, in ms. @default 3_600_000 */
  readonly idleMs?: number;
  /** The service that a document is for alone. @default none is */
  readonly ruled?: (document: Document) => ServiceRef | undefined;
}

interface Use {
  usedAt: number;
  told: boolean;
  timer: Timer;
}

export class LazySource implements Source {
  readonly #options: Required<LazySourceOptions>;
  readonly #listeners: ((view: RegistryView) => void)[] = [];
  /** By `namespace/service`. */
  readonly #uses = new Map<string, Use>();
  #known: ReadonlyMap<string, KnownService> = new Map();
  #whole: RegistryView | undefined;

  constructor({ tellAfterMs = 0, idleMs = 3_600_000, ruled = () => undefined, ...options }: LazySourceOptions) {
    this.#options = { ...options, tellAfterMs, idleMs, ruled };
  }

  get status(): SourceStatus {
    return this.#options.source.status;
  }

  /** `namespace/service` of those whose instances are told, or will be. */
  get used(): readonly string[] {
    return [...this.#uses.keys()];
  }

  watch(listener: (view: RegistryView) => void): void {
    this.#listeners.push(listener);
    if (this.#listeners.length > 1) {
      if (this.#whole !== undefined) listener(this.#view(this.#whole));
      return;
    }
    this.#options.source.watch((view) => {
      this.#whole = view;
      this.#show();
    });
  }

  use(service: ServiceRef): void {
    const { clock, tellAfterMs } = this.#options;
    const key = keyOf(service);
    const known = this.#uses.get(key);
    if (known !== undefined) known.usedAt = clock.now();
    // Before anybody watches, all is there in time for the first view.
    else if (this.#listeners.length === 0) this.#tell(key, { usedAt: clock.now(), told: true });
    else {
      const timer = clock.after(tellAfterMs, () => {
        this.#tell(key, { usedAt: clock.now(), told: true });
        this.#show();
      });
      this.#uses.set(key, { usedAt: clock.now(), told: false, timer });
    }
  }

  close(): Promise<void> {
    this.#listeners.length = 0;
    for (const { timer } of this.#uses.values()) timer.cancel();
    return this.#options.source.close();
  }

  #tell(key: string, use: Omit<Use, "timer">): void {
    this.#uses.set(key, { ...use, timer: this.#options.clock.after(this.#options.idleMs, () => this.#onIdle(key)) });
  }

  #onIdle(key: string): void {
    const use = this.#uses.get(key);
    if (use === undefined) return;
    const { clock, idleMs } = this.#options;
    const leftMs = use.usedAt + idleMs - clock.now();
    if (leftMs > 0) {
      use.timer = clock.after(leftMs, () => this.#onIdle(key));
      return;
    }
    this.#uses.delete(key);
    this.#show();
  }

  #show(): void {
    if (this.#whole === undefined) return;
    const view = this.#view(this.#whole);
    for (const listener of [...this.#listeners]) listener(view);
  }

  #view(whole: RegistryView): RegistryView {
    const isTold = (service: ServiceRef | undefined): boolean =>
      service === undefined || this.#uses.get(keyOf(service))?.told === true;
    const { ruled } = this.#options;
    const withRules = new Set(whole.documents.flatMap((document) => ruled(document) ?? []).map(keyOf));
    const known = new Map<string, KnownService>();
    const others = (whole.workloads ?? []).flatMap(({ namespace, service }) => (service ? { namespace, service } : []));
    for (const { namespace, service } of [...whole.leases.filter(({ ports }) => ports.length > 0), ...others]) {
      const key = keyOf({ namespace, service });
      if (known.has(key)) continue;
      const loaded = isTold({ namespace, service });
      const rules = withRules.has(key) ? { rulesLoaded: loaded } : {};
      const before = this.#known.get(key);
      const same = before?.loaded === loaded && before.rulesLoaded === rules.rulesLoaded;
      known.set(key, same ? before : { namespace, service, loaded, ...rules });
    }
    // One whose last instance left is still known to whoever uses it.
    for (const [key, before] of this.#known) if (!known.has(key) && isTold(before)) known.set(key, before);
    this.#known = known;
    const told = whole.workloads?.filter(({ namespace, service = "" }) => isTold({ namespace, service }));
    return {
      ...whole,
      documents: whole.documents.filter((document) => isTold(ruled(document))),
      leases: whole.leases.filter(isTold),
      ...(told && { workloads: told }),
      services: [...known.values()],
    };
  }
}

function keyOf({ namespace, service }: ServiceRef): string {
  return `${namespace}/${service}`;
}
