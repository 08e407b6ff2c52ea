/**
 * One instance that this process keeps registered: written, renewed, written again when the agent forgot it, removed.
 *
 * Renewals come from the event loop that serves: when it stands still for longer than the lease lives, the agent's check
 * turns critical by itself. There is no way to deregister while a process exits, since HTTP takes a turn of that loop: one that
 * has nothing left to do says so just before. What a killed one leaves behind turns critical after its lifetime, and Consul
 * drops it a minute later.
 */

import { type Clock, type LeaseSpec, type Random, sleep, type Timer } from "@inmesh/core";
import { backoffMs } from "@inmesh/core/internal";
import type { Agent } from "./agent.js";
import { sayFarewell } from "./farewell.js";
import type { ServiceInstance } from "./instance.js";

export interface HeldInstanceOptions {
  readonly agent: Agent;
  readonly clock: Clock;
  readonly random: Random;
  readonly describe: (lease: LeaseSpec) => ServiceInstance;
  /** Told after every try to register or renew, with what failed or undefined. */
  readonly onTried: (error: unknown) => void;
  /** Told why the agent could not be told that this process left. */
  readonly onStuck: (error: unknown) => void;
  /** Called once, after the first registration. */
  readonly onRegistered: (instance: ServiceInstance) => void;
}

/** Renewals per lifetime: two may be lost. */
const RENEWALS_PER_TTL = 3;
/** However long the lifetime: an agent that lost its state knows of this process within ten seconds. */
const LONGEST_PAUSE_MS = 5_000;
/** Processes that were started together do not renew together. */
const JITTER = 0.1;
const RETRY = { baseMs: 250, maxMs: LONGEST_PAUSE_MS };
const TRY_MS = 5_000;
/** For all tries to deregister together: somebody waits for them, and the lease ends by itself. */
const REMOVAL_MS = 2_500;
const REMOVAL_RETRY = { baseMs: 200, maxMs: 1_000 };

export class HeldInstance {
  readonly #options: HeldInstanceOptions;
  readonly #ended = new AbortController();
  #lease: LeaseSpec;
  #instance: ServiceInstance;
  /** What the agent was last told, as long as it is believed to know. */
  #written: ServiceInstance | undefined;
  #everWritten = false;
  /** So far. */
  failures = 0;
  /** In a row. */
  #failures = 0;
  /** Somebody waits for the first one. */
  #tries = 0;
  #timer: Timer | undefined;
  #removal: Promise<void> | undefined;
  /** One try after the other: a late registration must not bring back what was removed. */
  #last: Promise<void> = Promise.resolve();

  /** @throws {MeshError} CONFIG_INVALID for a lease that Consul cannot hold */
  constructor(lease: LeaseSpec, options: HeldInstanceOptions) {
    this.#options = options;
    this.#lease = lease;
    this.#instance = options.describe(lease);
  }

  /** Resolves after one try; a failed one is repeated later. */
  write(): Promise<void> {
    this.#last = this.#last.then(() => this.#try());
    return this.#last;
  }

  /** @throws {MeshError} CONFIG_INVALID for a lease that Consul cannot hold; what stood before stands */
  async update(change: Partial<LeaseSpec>): Promise<void> {
    const { namespace, service, instance } = this.#lease;
    const lease = { ...this.#lease, ...change, namespace, service, instance }; // its name is its identity
    this.#instance = this.#options.describe(lease);
    this.#lease = lease;
    await this.write();
  }

  /** A successor of the same name has it now. */
  abandon(): void {
    this.#timer?.cancel();
    this.#ended.abort();
    this.#removal ??= Promise.resolve();
  }

  /** Idempotent. Resolves when the agent knows, or after some tries, when there is no telling it. @param withinMs for all of them */
  remove(withinMs = REMOVAL_MS): Promise<void> {
    if (this.#removal === undefined) {
      this.abandon();
      this.#removal = this.#last.then(() => this.#remove(withinMs));
    }
    return this.#removal;
  }

  async #try(): Promise<void> {
    const { signal } = this.#ended;
    if (signal.aborted) return;
    this.#timer?.cancel();
    const { agent, clock, random, onTried, onRegistered } = this.#options;
    const pauseMs = Math.min(this.#lease.ttlMs / RENEWALS_PER_TTL, LONGEST_PAUSE_MS);
    let waitMs = pauseMs * (1 - JITTER * random.next());
    const instance = this.#instance;
    try {
      const request = { timeoutMs: TRY_MS, signal, background: this.#tries++ > 0 };
      if (this.#written !== instance || !(await agent.renew(instance.ID, request))) {
        await agent.register(instance, this.#lease.ttlMs, request);
      }
      this.#written = instance;
      this.#failures = 0;
      if (signal.aborted) return;
      onTried(undefined);
      if (!this.#everWritten) onRegistered(instance);
      this.#everWritten = true;
    } catch (error) {
      if (signal.aborted) return;
      this.#written = undefined;
      this.#failures += 1;
      this.failures += 1;
      waitMs = Math.min(pauseMs, backoffMs(RETRY, this.#failures, random));
      onTried(error);
    }
    this.#timer = clock.after(waitMs, () => void this.write());
  }

  async #remove(withinMs: number): Promise<void> {
    const { agent, clock, random, onStuck } = this.#options;
    const startedAt = clock.now();
    const said = { name: this.#instance.ID, ports: this.#lease.ports };
    if (this.#everWritten) await sayFarewell(agent, said, clock, { timeoutMs: withinMs });
    for (let failures = 0; ; ) {
      const leftMs = startedAt + withinMs - clock.now();
      try {
        await agent.deregister(this.#instance.ID, { timeoutMs: Math.max(1, leftMs) });
        return;
      } catch (error) {
        failures += 1;
        const waitMs = backoffMs(REMOVAL_RETRY, failures, random);
        // An agent that never answered is not waited for: it most likely knows nothing of this process.
        if (!this.#everWritten || clock.now() + waitMs >= startedAt + withinMs) return onStuck(error);
        await sleep(clock, waitMs);
      }
    }
  }
}
