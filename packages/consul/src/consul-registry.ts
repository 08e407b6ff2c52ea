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
import type { ParseDocuments } from "@inmesh/core/internal";
import { createHost, type Host } from "@inmesh/core/internal";
import type { Problem } from "@inmesh/model";
import { ConsulClient, type RequestFunctions } from "./client/consul-client.js";
import type { ConsulTarget } from "./client/consul-target.js";
import { ConsulRegistrar } from "./registrar/consul-registrar.js";
import { ConsulSource } from "./source/consul-source.js";
import { ConsulStore } from "./store/consul-store.js";

export interface ConsulRegistryOptions {
  readonly target: ConsulTarget;
  readonly parse: ParseDocuments;
  /** Whose instances are told: those of services that `use` named, or everybody's. @default "used" */
  readonly scope?: "used" | "all";
  /** The process's own service: policy for one service alone is told of it and of those in use. @default of all services */
  readonly own?: ServiceRef;
  /** Looks once, and does not follow what changes: for commands that end in a moment. @default false */
  readonly once?: boolean;
  readonly clock?: Clock;
  readonly random?: Random;
  /** `request` of node:http and node:https. @default those of the modules */
  readonly functions?: RequestFunctions;
  /** @default this machine */
  readonly host?: Host;
  /** Told once per trouble of registering. @default nobody */
  readonly onWarning?: (warning: Problem) => void;
}

export class ConsulRegistry implements Source {
  readonly client: ConsulClient;
  /** Registers processes with the agent at the target's address. */
  readonly registrar: ConsulRegistrar;
  /** Writes policy into the key-value store, with its history. */
  readonly store: ConsulStore;
  readonly #source: ConsulSource;
  #closing: Promise<void> | undefined;

  constructor(options: ConsulRegistryOptions) {
    const { target, parse, scope = "used", own, clock = systemClock, random = systemRandom } = options;
    const { host = createHost(), onWarning = () => {}, once = false, functions } = options;
    const client = new ConsulClient(target, { holds: !once, ...(functions && { functions }) });
    this.client = client;
    this.registrar = new ConsulRegistrar({ client, clock, random, host, onWarning });
    this.store = new ConsulStore({ client, parse, clock, random });
    this.#source = new ConsulSource({ client, clock, random, parse, scope, ...(own && { own }) });
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

  /** Deregisters what it registered and stops watching; idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await this.registrar.close();
    await this.#source.close();
    this.client.close();
  }
}
