/** That others find this process: the lease that says where it is, and the way out of the registry that nobody notices. */

import type { Source } from "@inmesh/core";
import type { Listener } from "@inmesh/http/server";
import { VERSION } from "../version.js";
import type { DataPlane } from "./data-plane.js";
import { LeaseKeeper, type LeaseKeeperOptions, type LeaseState } from "./lease-keeper.js";
import type { OpenRegistry } from "./open-registry.js";
import { namedPorts } from "./port-names.js";
import { atMost, propagated, succeeded } from "./propagation.js";

/** Of the time for a drain callers get this much to hear of it, whatever happens: requests that run need the rest. */
const LEAVE_SHARE = 0.6;
/** Of the delay a lease stays at least while others listen on the same port. */
const KEPT_SHARE = 2 / 3;
/** Callers that still call get so many times the usual delay. */
const LAG_FACTOR = 4;

export class Membership {
  readonly #plane: DataPlane;
  #lease: LeaseKeeper | undefined;
  #source: Source | undefined;
  /** Where others reach this process, as it was last told. */
  #reachedAt = "";

  constructor(plane: DataPlane) {
    this.#plane = plane;
  }

  /** Undefined: this process has no lease to write. */
  get state(): LeaseState | undefined {
    return this.#lease?.state;
  }

  /** See LeaseKeeper. */
  get failures(): number {
    return this.#lease?.failures ?? 0;
  }

  /** Advertised ones, in order. */
  get ports(): readonly number[] {
    return this.#lease?.ports.map(({ number }) => number) ?? [];
  }

  /**
   * From now on `say` tells the registry.
   * @param source what the registry says of others
   * @param schemaVersion of the policy that this process reads
   */
  open(
    registry: OpenRegistry,
    source: Source,
    schemaVersion: number,
    onFailure: LeaseKeeperOptions["onFailure"],
  ): void {
    const { settings, instance, whereabouts, events, log } = this.#plane;
    const { namespace, service, labels, serviceAccount, weight, tags, leaseTtlMs: ttlMs } = settings;
    const { locality } = whereabouts;
    this.#source = source;
    this.#lease = new LeaseKeeper({
      registrar: registry.registrar,
      spec: {
        ...{ namespace, service, labels, instance, pid: process.pid, ttlMs },
        ...(serviceAccount !== undefined && { serviceAccount }),
        ...(locality && { locality }),
        ...(weight !== undefined && { weight }),
        ...(tags.length > 0 && { tags }),
        inmeshVersion: VERSION,
        schemaVersion,
      },
      onEvent: (written) => {
        const message = registry.registersElsewhere ?? written;
        events.add("lease", message);
        log.scope("lease").debug(message);
      },
      onFailure,
    });
  }

  async say(listeners: readonly Listener[]): Promise<void> {
    const { settings, whereabouts, events, log, adminUrl, identity } = this.#plane;
    const { ports, lease } = settings;
    const serves = listeners.length > 0 || ports !== undefined;
    if (lease === "servers" && !serves && this.#lease?.registered !== true) return;
    const found = whereabouts.address(listeners);
    if (found === undefined || this.#lease === undefined) return;
    if (this.#reachedAt !== found.address) {
      this.#reachedAt = found.address;
      const message = `others reach this process at ${found.address}: ${found.why}`;
      events.add("address", message);
      log.scope("address").debug(message);
    }
    await this.#lease.say({
      address: found.address,
      ports: ports ?? namedPorts(listeners),
      ...(adminUrl !== undefined && { admin: adminUrl }),
      identity: identity?.current?.self.id ?? "",
    });
  }

  /**
   * Resolves when no new calls are sent here any more, after about `propagationDelayMs`.
   * @param limitMs time for this and what comes after it
   */
  async leave(signal: AbortSignal, limitMs: number): Promise<void> {
    const { clock, inbound, sharesPort, settings } = this.#plane;
    const advertised = this.ports.length > 0;
    const longestMs = limitMs * LEAVE_SHARE;
    const delayMs = Math.min(settings.propagationDelayMs, longestMs);
    const startedAt = clock.now();
    const shares = advertised && sharesPort;
    // What others share with us goes to them when we close, so nobody needs to have gone before; after the lease this much is left.
    const restMs = delayMs * (1 - KEPT_SHARE);
    // They listen, but may not be in the registry yet. Without a lease the service would be unknown until they are.
    if (shares) {
      await succeeded({
        ...{ clock, signal, delayMs, leastMs: delayMs - restMs },
        ...{ longestMs: Math.min(delayMs * LAG_FACTOR, longestMs - restMs) },
        ...{ arrived: () => inbound.arrived, others: this.#successors() },
      });
    }
    // A registry that does not answer hears of it by the lease's end.
    await atMost(this.withdraw(), clock, longestMs - (clock.now() - startedAt), signal);
    if (!advertised) return;
    await propagated({
      ...{ clock, signal, delayMs: shares ? restMs : delayMs },
      longestMs: shares ? restMs : Math.min(delayMs * LAG_FACTOR, longestMs),
      arrived: () => inbound.arrived,
    });
  }

  /**
   * Workers of one cluster may all leave at once, to be followed by others: those that are older may be going, too.
   * @returns whether a younger one, or one that came since, is registered for this service, from now on as the registry says it
   */
  #successors(): () => boolean {
    const { namespace, service } = this.#plane.settings;
    const { instance } = this.#plane;
    let here: ReadonlySet<string> | undefined;
    let known = false;
    this.#source?.use?.({ namespace, service });
    this.#source?.watch(({ leases }) => {
      const others = leases.filter(
        (lease) => lease.service === service && lease.namespace === namespace && lease.instance !== instance,
      );
      here ??= new Set(others.map((lease) => lease.instance));
      known = others.some((lease) => lease.pid > process.pid || !here?.has(lease.instance));
    });
    return () => known;
  }

  /** Out of the registry, whoever has heard of it. */
  async withdraw(): Promise<void> {
    await this.#lease?.leave();
  }
}
