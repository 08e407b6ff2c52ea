/** A shop in a Consul, as tests of bad days watch it: one service of three instances, and one resource. */

import { ConsulRegistry, type ConsulTarget } from "@inmesh/consul";
import { type Clock, type RegistryView, type SourceStatus, systemClock } from "@inmesh/core";
import { parseDocuments } from "@inmesh/model";
import { expect } from "vitest";
import { equals, eventually } from "../eventually.js";
import type { ConsulProcess } from "../peer/index.js";

export const INSTANCES = ["9000", "9001", "9002"];

/** @param prefix of this test's own policy @param service of its own */
export async function fillShop(consul: ConsulProcess, prefix = "inmesh", service = "web"): Promise<void> {
  for (const port of INSTANCES) await register(consul, service, port);
  await putResource(consul, "first", prefix);
}

export async function register(consul: ConsulProcess, service: string, port: string): Promise<void> {
  const instance = { ID: `${service}-${port}`, Name: service, Address: "127.0.0.1", Port: Number(port) };
  await consul.must("PUT", "/v1/agent/service/register", instance);
}

export async function putResource(consul: ConsulProcess, name: string, prefix = "inmesh"): Promise<void> {
  const text = `apiVersion: v1\nkind: Namespace\nmetadata: { name: ${name} }\n`;
  await consul.must("PUT", `/v1/kv/${prefix}/policy/${name}/Namespace/${name}`, text);
}

export function targetOf(port: number, more: Partial<ConsulTarget> = {}): ConsulTarget {
  return { host: "127.0.0.1", port, secure: false, prefix: "inmesh", namespace: "default", ...more };
}

export class WatchedShop implements AsyncDisposable {
  readonly registry: ConsulRegistry;
  readonly #service: string;
  #view: RegistryView | undefined;

  constructor(
    target: ConsulTarget,
    { service = "web", clock = systemClock }: { service?: string; clock?: Clock } = {},
  ) {
    this.#service = service;
    this.registry = new ConsulRegistry({ target, parse: parseDocuments, clock });
    this.registry.use({ namespace: target.namespace, service });
    this.registry.watch((view) => {
      this.#view = view;
    });
  }

  get status(): SourceStatus {
    return this.registry.status;
  }

  get view(): RegistryView | undefined {
    return this.#view;
  }

  /** Names of resources and ports of instances that may be called. */
  get shown(): { readonly resources: readonly string[]; readonly instances: readonly string[] } {
    const workloads = this.#view?.workloads ?? [];
    const own = workloads.filter(({ service, healthy }) => service === this.#service && healthy !== false);
    return {
      resources: (this.#view?.documents ?? []).map(({ name }) => name).sort(),
      instances: own.map(({ ports }) => String(ports[0]?.number)).sort(),
    };
  }

  async shows(resources: readonly string[], instances: readonly string[] = INSTANCES): Promise<void> {
    await eventually(() => this.shown, equals({ resources, instances }));
  }

  /** The registry is away, and says why in words that fit. */
  async isStale(reason: RegExp): Promise<void> {
    const say = (): string => `${this.status.state}: ${this.status.reason}`;
    await eventually(say, (said) => expect(said).toMatch(new RegExp(`stale: .*${reason.source}`)));
  }

  async isFresh(withinMs = 6_000): Promise<void> {
    await eventually(() => this.status.state, equals("fresh"), withinMs);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.registry.close();
  }
}
