/** Registers this process with a Consul agent and keeps it registered. Serving goes on while the agent is away. */

import {
  type Clock,
  type LeaseHandle,
  type LeaseSpec,
  messageOf,
  type Random,
  type Registrar,
  sleep,
} from "@inmesh/core";
import { atProcess, type Host, leaseName, registryProblem } from "@inmesh/core/internal";
import type { Problem } from "@inmesh/model";
import type { ConsulClient } from "../client/consul-client.js";
import { Agent } from "./agent.js";
import { sayFarewell } from "./farewell.js";
import { HeldInstance } from "./held-instance.js";
import { leaseOf, type Machine, machineOf, type ServiceInstance, toServiceInstance } from "./instance.js";

export interface ConsulRegistrarOptions {
  readonly client: ConsulClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly host: Host;
  /** Told once when registering begins to fail, and again only after it had worked in between. */
  readonly onWarning: (warning: Problem) => void;
  /**
   * Calls `fn` when the process has nothing left to do, until the function returned is called.
   * @default that of the process
   */
  readonly onIdle?: (fn: () => void) => () => void;
}

/** Whoever waits for a registration waits no longer: the process serves, registered or not. */
const FIRST_TRY_MS = 2_000;
const SWEEP_MS = 5_000;
/** A script that is done ends now, whether or not its agent answers. */
const LAST_WORD_MS = 500;

export class ConsulRegistrar implements Registrar {
  readonly #options: ConsulRegistrarOptions;
  readonly #agent: Agent;
  readonly #held = new Map<string, HeldInstance>();
  #failing: Problem | undefined;
  #forgetIdle: (() => void) | undefined;

  constructor(options: ConsulRegistrarOptions) {
    this.#options = options;
    this.#agent = new Agent(options.client);
  }

  /** Why this process is not registered at the moment, or undefined. */
  get problem(): Problem | undefined {
    return this.#failing;
  }

  /** Where the agent says that it is; undefined when it does not say. @throws {ConsulError} while it does not answer */
  agentAddress(): Promise<string | undefined> {
    return this.#agent.address({ timeoutMs: FIRST_TRY_MS, background: true });
  }

  /**
   * Resolves when the agent has had one try at it, or is slow.
   * @throws {MeshError} CONFIG_INVALID for a name that is no DNS label, and for a lease that Consul cannot hold
   */
  async register(spec: LeaseSpec): Promise<LeaseHandle> {
    const name = leaseName(spec);
    const { clock, random, onIdle = (fn) => atProcess("beforeExit", fn) } = this.#options;
    const instance = new HeldInstance(spec, {
      ...{ agent: this.#agent, clock, random },
      describe: (lease) => this.#describe(lease),
      onTried: (error) => this.#onTried(name, error),
      onStuck: (error) => this.#onStuck(name, spec.ttlMs, error),
      onRegistered: (registered) => void this.#sweep(registered),
    });
    this.#held.get(name)?.abandon(); // the same instance again: registering replaces it in place
    this.#held.set(name, instance);
    this.#forgetIdle ??= onIdle(() => void this.#end(LAST_WORD_MS));
    const waited = new AbortController();
    const slow = sleep(clock, FIRST_TRY_MS, waited.signal).catch(() => {}); // it rejects for the abort only
    await Promise.race([instance.write(), slow]);
    waited.abort();
    return {
      get failures() {
        return instance.failures;
      },
      update: (change) => instance.update(change),
      remove: () => {
        if (this.#held.get(name) === instance) this.#held.delete(name);
        return instance.remove();
      },
    };
  }

  close(): Promise<void> {
    this.#forgetIdle?.();
    return this.#end();
  }

  async #end(withinMs?: number): Promise<void> {
    const instances = [...this.#held.values()];
    this.#held.clear();
    await Promise.all(instances.map((instance) => instance.remove(withinMs)));
  }

  #describe(lease: LeaseSpec): ServiceInstance {
    const { client, host } = this.#options;
    return toServiceInstance(lease, client.target, { host: host.id, started: host.startOf(lease.pid) ?? "" });
  }

  /**
   * A predecessor on this machine that was killed cannot deregister, and its check passes for a while yet: its pid says
   * that it is gone.
   */
  async #sweep({ ID, Name }: ServiceInstance): Promise<void> {
    const { client, clock, host } = this.#options;
    const [namespace, service] = ID.split(".");
    try {
      const request = { timeoutMs: SWEEP_MS, background: true };
      for (const found of await this.#agent.instances(Name, request)) {
        const lease = leaseOf({ Service: found }, client.target);
        if (lease === undefined || lease.name === ID) continue;
        if (lease.namespace !== namespace || lease.service !== service) continue; // callers are all in one place
        if (!isGone(lease.pid, machineOf(found), host)) continue;
        await sayFarewell(this.#agent, lease, clock, request);
        await this.#agent.deregister(lease.name, request);
      }
    } catch {
      // Its check will turn critical.
    }
  }

  #onTried(name: string, error: unknown): void {
    if (error === undefined) this.#failing = undefined;
    else if (this.#failing === undefined) {
      const message = `instance ${name} is not registered: ${messageOf(error)}. Others do not find this process until it is; it is tried again until then.`;
      this.#failing = registryProblem("IM0704", "warning", message);
      this.#options.onWarning(this.#failing);
    }
  }

  #onStuck(name: string, ttlMs: number, error: unknown): void {
    if (this.#failing !== undefined) return;
    const message = `instance ${name} could not be deregistered: ${messageOf(error)}. Its check turns critical within ${ttlMs} ms, so that nobody calls it then.`;
    this.#options.onWarning(registryProblem("IM0704", "warning", message));
  }
}

function isGone(pid: number, { host: id, started }: Machine, host: Host): boolean {
  if (id !== host.id) return false; // nobody here can tell
  if (!host.exists(pid)) return true;
  const startOfPid = started === "" ? undefined : host.startOf(pid);
  return startOfPid !== undefined && startOfPid !== started; // the pid is someone else's, or a zombie's
}
