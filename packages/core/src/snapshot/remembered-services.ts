/**
 * A name that was a service of the mesh a moment ago is not unknown now: that nobody serves it is known. Without this the
 * last instance of a service would take its name along, and calls would ask DNS for it. So a service that had instances,
 * as this process saw, stays known by name for a while after the last of them; calls get NO_ENDPOINT then.
 */

import { type Clock, systemClock, type Timer } from "../runtime/clock.js";
import { Instances } from "./instances.js";
import type { KnownService, RegistryView, ServiceRef, Source, SourceStatus } from "./source.js";

export interface RememberedServicesOptions {
  readonly source: Source;
  readonly clock?: Clock;
  /** After the last instance, in ms. @default 600_000 */
  readonly rememberMs?: number;
}

/** A source that knows services by name for a while longer than `source`. */
export class RememberedServices implements Source {
  readonly use?: (service: ServiceRef) => void;
  readonly #source: Source;
  readonly #clock: Clock;
  readonly #rememberMs: number;
  readonly #listeners: ((view: RegistryView) => void)[] = [];
  #told: RegistryView | undefined;
  readonly #instances = new Instances();
  /** Services that had some, by `namespace/service`, the first to be forgotten first. */
  readonly #left = new Map<string, { readonly known: KnownService; readonly until: number }>();
  #timer: Timer | undefined;

  constructor({ source, clock = systemClock, rememberMs = 600_000 }: RememberedServicesOptions) {
    this.#source = source;
    this.#clock = clock;
    this.#rememberMs = rememberMs;
    if (source.use !== undefined) this.use = (service) => source.use?.(service);
  }

  get status(): SourceStatus {
    return this.#source.status;
  }

  watch(listener: (view: RegistryView) => void): void {
    this.#listeners.push(listener);
    if (this.#listeners.length === 1) return this.#source.watch((view) => this.#take(view));
    if (this.#told !== undefined) listener(this.#shown(this.#told));
  }

  close(): Promise<void> {
    this.#listeners.length = 0;
    this.#timer?.cancel();
    return this.#source.close();
  }

  #take(view: RegistryView): void {
    this.#told = view;
    const until = this.#clock.now() + this.#rememberMs;
    for (const [name, had] of this.#instances.update(view)?.had ?? []) {
      const [namespace = "", service = ""] = name.split("/");
      if (this.#instances.count(name) > 0) this.#left.delete(name);
      else if (had > 0) this.#left.set(name, { known: { namespace, service, loaded: true }, until });
    }
    this.#show();
  }

  #show(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const [first] = this.#left.values();
    if (first !== undefined) this.#timer = this.#clock.after(first.until - this.#clock.now(), () => this.#forget());
    if (this.#told === undefined) return;
    const view = this.#shown(this.#told);
    for (const listener of this.#listeners) listener(view);
  }

  /** What the registry itself says of a service goes first: also that its instances are not told at the moment. */
  #shown(told: RegistryView): RegistryView {
    if (this.#left.size === 0) return told;
    const left = new Map(this.#left);
    for (const { namespace, service } of told.services ?? []) left.delete(`${namespace}/${service}`);
    if (left.size === 0) return told;
    return { ...told, services: [...(told.services ?? []), ...[...left.values()].map(({ known }) => known)] };
  }

  #forget(): void {
    const now = this.#clock.now();
    for (const [name, { until }] of this.#left) if (until <= now) this.#left.delete(name);
    this.#show();
  }
}
