/** ServiceEntry resolution DYNAMIC_DNS: each request's own host is looked up, as Envoy's dynamic forward proxy does. */

import { isIP } from "node:net";
import type { Cluster } from "@inmesh/model";
import type { Call } from "../call/call.js";
import type { Names, NameWatch } from "../dns/names.js";
import { Waits } from "../dns/waits.js";
import { EndpointState } from "./endpoint-state.js";

/** Host names may come from users' input: the map is bounded, the one least recently made leaves (pitfalls B8). */
const MOST = 256;
/** A host that nobody called for this long is looked up no more, in ms: Envoy's host_ttl. */
const UNUSED_MS = 5 * 60_000;

export interface ByRequestOptions {
  readonly names: Names;
  readonly now: () => number;
  readonly onRemoved: (state: EndpointState) => void;
}

interface LookedUpHost {
  readonly state: EndpointState;
  /** Absent for what is an address already. */
  readonly watch: NameWatch | undefined;
  readonly waits: Waits;
  usedAt: number;
}

export class ByRequest {
  readonly #options: ByRequestOptions;
  readonly #byId = new Map<string, LookedUpHost>();

  constructor(options: ByRequestOptions) {
    this.#options = options;
  }

  /** @returns undefined while the host has no address */
  acquire(call: Call, config: Cluster, now: number): EndpointState | undefined {
    const host = this.#byId.get(idOf(call, config));
    if (host === undefined || !isUsable(host)) return undefined;
    host.usedAt = now;
    host.state.inFlight += 1;
    return host.state;
  }

  has(call: Call, config: Cluster): boolean {
    const host = this.#byId.get(idOf(call, config));
    return host !== undefined && isUsable(host);
  }

  /** As `ByName.wait`. */
  wait(call: Call, config: Cluster, signal: AbortSignal): Promise<void> | undefined {
    const id = idOf(call, config);
    const host = this.#byId.get(id) ?? this.#add(id, hostOf(call, config), config.port);
    if (host.watch === undefined || !host.watch.name.ask()) return undefined;
    return host.waits.add(signal);
  }

  complaint(call: Call, config: Cluster): string {
    return this.#byId.get(idOf(call, config))?.watch?.name.complaint ?? "";
  }

  /** Those that have been called. */
  get states(): readonly EndpointState[] {
    return [...this.#byId.values()].filter(isUsable).map(({ state }) => state);
  }

  close(): void {
    for (const id of [...this.#byId.keys()]) this.#remove(id);
  }

  #add(id: string, name: string, port: number): LookedUpHost {
    const endpoint = { id, address: name, port, weight: 1, labels: {}, workloads: [] };
    const named = isIP(name) === 0;
    const host: LookedUpHost = {
      state: new EndpointState(endpoint),
      watch: named ? this.#options.names.watch(name, () => this.#onLookup(id)) : undefined,
      waits: new Waits(),
      usedAt: this.#options.now(),
    };
    this.#byId.set(id, host);
    const [oldest] = this.#byId;
    if (this.#byId.size > MOST && oldest !== undefined) this.#remove(oldest[0]);
    return host;
  }

  /** Another address is for new connections; those that are there stay in use. */
  #onLookup(id: string): void {
    const host = this.#byId.get(id);
    if (host?.watch === undefined) return;
    const { state, watch, waits, usedAt } = host;
    if (this.#options.now() - usedAt >= UNUSED_MS && state.inFlight === 0) return this.#remove(id);
    const [first] = watch.name.lastAddresses;
    if (first !== undefined && first !== state.endpoint.address) {
      state.endpoint = { ...state.endpoint, address: first, dnsName: watch.name.text };
    }
    waits.end();
  }

  #remove(id: string): void {
    const host = this.#byId.get(id);
    if (host === undefined) return;
    this.#byId.delete(id);
    host.watch?.close();
    host.waits.end();
    host.state.removed = true;
    this.#options.onRemoved(host.state);
  }
}

/** A rule may lead to one host under the wildcard, whatever the request is addressed to. */
function hostOf(call: Call, { host }: Cluster): string {
  return host.startsWith("*") ? call.host : host;
}

function idOf(call: Call, config: Cluster): string {
  return `${hostOf(call, config)}:${config.port}`;
}

function isUsable({ state, watch }: LookedUpHost): boolean {
  return watch === undefined || state.endpoint.dnsName !== undefined;
}
