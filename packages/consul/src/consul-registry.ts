/** A Consul as the registry of the mesh: what it says, and what is told to it. */

import {
  type Clock,
  type Random,
  type RegistryView,
  type ServiceRef,
  type Source,
  type SourceStatus,
  systemClock,
  systemRandom,
} from "@inmesh/core";
import { ConsulClient } from "./client/consul-client.js";
import type { ConsulTarget } from "./client/consul-target.js";
import { ConsulSource } from "./source/consul-source.js";
import type { ParseDocuments } from "./source/policy-keys.js";

export interface ConsulRegistryOptions {
  readonly target: ConsulTarget;
  readonly parse: ParseDocuments;
  /** Whose instances are told: those of services that `use` named, or everybody's. @default "used" */
  readonly scope?: "used" | "all";
  readonly clock?: Clock;
  readonly random?: Random;
}

export class ConsulRegistry implements Source {
  readonly client: ConsulClient;
  readonly #source: ConsulSource;
  #closing: Promise<void> | undefined;

  constructor({ target, parse, scope = "used", clock = systemClock, random = systemRandom }: ConsulRegistryOptions) {
    this.client = new ConsulClient(target);
    this.#source = new ConsulSource({ client: this.client, clock, random, parse, scope });
  }

  get status(): SourceStatus {
    return this.#source.status;
  }

  watch(listener: (view: RegistryView) => void): void {
    this.#source.watch(listener);
  }

  use(service: ServiceRef): void {
    this.#source.use(service);
  }

  /** Stops watching; idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await this.#source.close();
    this.client.close();
  }
}
