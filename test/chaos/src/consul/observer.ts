/** Looks at a caller's admin endpoint all the time, as an operator would, and keeps what it saw. */

import { setTimeout as delay } from "node:timers/promises";
import type { RegistryReading, SnapshotView } from "@inmesh/core/admin";
import { request } from "undici";

export interface Sight {
  /** In ms of the process's clock. */
  readonly at: number;
  readonly state: string;
  readonly reason: string;
  readonly lagMs: number;
  /** Endpoints of the service that is called. */
  readonly endpoints: number;
  /** Instances held back against the registry. */
  readonly held: number;
  /** Keys of the resources in force. */
  readonly resources: readonly string[];
}

const EVERY_MS = 100;

export class Observer implements AsyncDisposable {
  readonly sights: Sight[] = [];
  readonly #url: string;
  readonly #service: string;
  readonly #ended: Promise<void>;
  #over = false;

  constructor(adminUrl: string, service: string) {
    this.#url = adminUrl;
    this.#service = service;
    this.#ended = this.#observe();
  }

  get last(): Sight | undefined {
    return this.sights.at(-1);
  }

  /** The first sight from then on that fits; undefined when there was none. */
  first(since: number, fits: (sight: Sight) => boolean): Sight | undefined {
    return this.sights.find((sight) => sight.at >= since && fits(sight));
  }

  /** Waits for it. @throws after `withinMs` */
  async sees(since: number, what: string, fits: (sight: Sight) => boolean, withinMs: number): Promise<Sight> {
    for (const deadline = performance.now() + withinMs; ; await delay(20)) {
      const found = this.first(since, fits);
      if (found !== undefined) return found;
      if (performance.now() > deadline)
        throw new Error(`no ${what} within ${withinMs} ms: ${JSON.stringify(this.last)}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    await this.#ended;
  }

  async #observe(): Promise<void> {
    while (!this.#over) {
      const at = performance.now();
      const [registry, snapshot] = await Promise.all([
        this.#page<RegistryReading>("/registry"),
        this.#page<SnapshotView>("/snapshot"),
      ]);
      if (registry !== undefined && snapshot !== undefined) {
        const { state, reason = "", lagMs = 0, held } = registry;
        const own = snapshot.services.find(({ host }) => host.startsWith(`${this.#service}.`));
        this.sights.push({
          ...{ at, state, reason, lagMs, endpoints: own?.endpoints ?? 0 },
          held: held.flatMap(({ instances }) => instances).length,
          resources: Object.keys(snapshot.resources),
        });
      }
      await delay(EVERY_MS);
    }
  }

  async #page<View>(path: string): Promise<View | undefined> {
    try {
      const { body } = await request(`${this.#url}${path}`);
      return (await body.json()) as View;
    } catch {
      return undefined; // not there yet, or not any more
    }
  }
}
