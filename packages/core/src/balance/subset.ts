/**
 * Deterministic subsetting: one process uses so many of the endpoints and no more, always the same ones while they live, so
 * that N clients and M endpoints do not make N x M connections (pitfalls L8). Rendezvous hashing of the process and the
 * endpoint: each process has its own order of all endpoints and uses the first that are usable (gRFC A68 does the same).
 */

import type { Outcome } from "../call/attempt.js";
import type { EndpointState } from "../cluster/endpoint-state.js";
import type { Balancer, BalancerView, Picking } from "./balancer.js";

export interface SubsetOptions {
  readonly size: number;
  /** Of this process: different in each. */
  readonly instance: string;
  /** Chooses among those used. */
  readonly balancer: Balancer;
}

export class Subset implements Balancer {
  readonly #options: SubsetOptions;
  #known = 0;
  #used = 0;

  constructor(options: SubsetOptions) {
    this.#options = options;
  }

  update(usable: readonly EndpointState[], all: readonly EndpointState[]): void {
    const { size, instance, balancer } = this.#options;
    this.#known = all.length;
    this.#used = Math.min(size, usable.length);
    if (all.length <= size) return balancer.update(usable, all);
    const scored = usable.map((state) => ({ state, score: scoreOf(instance, state.endpoint.id) }));
    scored.sort((a, b) => b.score - a.score || (a.state.endpoint.id < b.state.endpoint.id ? -1 : 1));
    const used = new Set(scored.slice(0, size).map(({ state }) => state));
    const inOrder = usable.filter((state) => used.has(state));
    balancer.update(inOrder, inOrder);
  }

  pick(now: number, call: Picking, avoid?: readonly EndpointState[]): EndpointState | undefined {
    return this.#options.balancer.pick(now, call, avoid);
  }

  observe(state: EndpointState, latencyMs: number, outcome: Outcome, now: number): void {
    this.#options.balancer.observe?.(state, latencyMs, outcome, now);
  }

  describe(): BalancerView {
    const { balancer } = this.#options;
    const notes = balancer.describe?.().notes ?? [];
    return { notes: [`uses ${this.#used} of ${this.#known} endpoints`, ...notes] };
  }
}

/** 32 bits: FNV-1a, mixed so that ids which differ in a digit are far apart. */
function scoreOf(instance: string, id: string): number {
  const text = `${instance} ${id}`;
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
