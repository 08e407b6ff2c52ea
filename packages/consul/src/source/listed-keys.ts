/** Names of the keys below the services' prefix: which services have policy of their own. */

import type { ServiceRef } from "@inmesh/core";
import type { Problem } from "@inmesh/model";
import { ConsulError } from "../client/consul-error.js";
import type { ConsulTarget } from "../client/consul-target.js";
import { serviceOfKey, servicePrefix } from "../keys.js";
import { serviceKey } from "../service-name.js";
import { belowNoService } from "./misplaced.js";

export class ListedKeys {
  readonly #target: ConsulTarget;
  #keys: readonly string[] = [];
  #services: ReadonlySet<string> = new Set();
  /** Those that a VirtualService is for, which makes a host known that no process serves. The same list until it changes. */
  named: readonly ServiceRef[] = [];
  /** Keys that are below no service. */
  problems: readonly Problem[] = [];

  constructor(target: ConsulTarget) {
    this.#target = target;
  }

  /** `namespace/service` of each. */
  get services(): readonly string[] {
    return [...this.#services];
  }

  has(service: string): boolean {
    return this.#services.has(service);
  }

  /** Folders, as the web interface makes them, are no keys. @throws {ConsulError} `garbled` */
  read(status: number, body: unknown, shown: string): readonly string[] {
    if (status === 404) return [];
    if (Array.isArray(body) && body.every((key) => typeof key === "string"))
      return body.filter((key) => !key.endsWith("/"));
    throw new ConsulError("garbled", `${shown} answered a question for the names of keys with something else`);
  }

  /** Keys that are not among these any more. */
  vanished(keys: readonly string[]): readonly string[] {
    const present = new Set(keys);
    return this.#keys.filter((key) => !present.has(key));
  }

  /** @returns whether there are others than before */
  update(keys: readonly string[]): boolean {
    if (keys.length === this.#keys.length && keys.every((key, index) => key === this.#keys[index])) return false;
    this.#keys = keys;
    const services = new Set<string>();
    const named = new Map<string, ServiceRef>();
    const lost: string[] = [];
    for (const key of keys) {
      const service = serviceOfKey(this.#target, key);
      if (service === undefined) {
        lost.push(key);
        continue;
      }
      const name = serviceKey(service);
      services.add(name);
      if (key.startsWith(`${servicePrefix(this.#target, service)}VirtualService/`)) named.set(name, service);
    }
    this.#services = services;
    this.named = [...named.values()];
    this.problems = lost.map((key) => belowNoService(this.#target, key));
    return true;
  }
}
