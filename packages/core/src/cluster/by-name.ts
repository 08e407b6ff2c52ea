/**
 * Endpoints whose address is a name, as addresses: ServiceEntry resolution DNS (Envoy's STRICT_DNS) makes an endpoint of
 * every address, DNS_ROUND_ROBIN (LOGICAL_DNS) keeps one endpoint, whose new connections go to the first address.
 * Nothing is looked up before a call wants to know.
 */

import { isIP } from "node:net";
import { type Endpoint, type EndpointSet, endpointId } from "@inmesh/model";
import type { Names, NameWatch } from "../dns/names.js";
import { Waits } from "../dns/waits.js";

export interface ByNameOptions {
  readonly names: Names;
  /** DNS_ROUND_ROBIN. */
  readonly firstOnly: boolean;
  /** The endpoints are others now. */
  readonly changed: (set: EndpointSet) => void;
}

export class ByName {
  readonly #options: ByNameOptions;
  #written: EndpointSet;
  #found: EndpointSet;
  /** By name; undefined until the first call. */
  #watches: Map<string, NameWatch> | undefined;
  readonly #waits = new Waits();

  constructor(written: EndpointSet, options: ByNameOptions) {
    this.#written = written;
    this.#found = { cluster: written.cluster, endpoints: [] };
    this.#options = options;
  }

  /** Somebody called. */
  get started(): boolean {
    return this.#watches !== undefined;
  }

  /** A snapshot brought other endpoints. */
  update(written: EndpointSet): void {
    if (written === this.#written) return;
    this.#written = written;
    if (this.#watches === undefined) return;
    this.#watch(this.#watches);
    this.#publish();
    this.#endWaits();
  }

  /** Nobody waits in vain. */
  close(): void {
    for (const watch of this.#watches?.values() ?? []) watch.close();
    this.#watches = undefined;
    this.#waits.end();
  }

  /** A call found no endpoint. @returns settles when there is one or none will come; undefined when there is nothing to wait for */
  wait(signal: AbortSignal): Promise<void> | undefined {
    if (this.#watches === undefined) {
      this.#watches = new Map();
      this.#watch(this.#watches);
      this.#publish(); // what is an address needs no lookup
    }
    if (this.#found.endpoints.length > 0) return undefined;
    let pending = false;
    for (const { name } of this.#watches.values()) pending = name.ask() || pending;
    return pending ? this.#waits.add(signal) : undefined;
  }

  /** Names without an address, and why, in words; empty when none is to blame. */
  get complaint(): string {
    const without = [...(this.#watches?.values() ?? [])].filter(({ name }) => name.addresses.length === 0);
    return without.map(({ name }) => name.complaint).join("; ");
  }

  #watch(watches: Map<string, NameWatch>): void {
    const names = new Set(this.#written.endpoints.filter(isNamed).map(({ address }) => address));
    for (const [text, watch] of watches) {
      if (names.has(text)) continue;
      watch.close();
      watches.delete(text);
    }
    for (const text of names) {
      if (watches.has(text)) continue;
      const watch = this.#options.names.watch(text, () => this.#onLookup());
      watches.set(text, watch);
      if (watch.name.addresses.length === 0) watch.name.ask();
    }
  }

  #onLookup(): void {
    this.#publish();
    this.#endWaits();
  }

  #endWaits(): void {
    const watches = [...(this.#watches?.values() ?? [])];
    if (this.#found.endpoints.length > 0 || watches.every(({ name }) => !name.pending)) this.#waits.end();
  }

  #publish(): void {
    const found = this.#resolved();
    const before = this.#found.endpoints;
    if (found.length === before.length && found.every((endpoint, index) => endpoint === before[index])) return;
    this.#found = { cluster: this.#written.cluster, endpoints: found };
    this.#options.changed(this.#found);
  }

  /** Sorted: name servers rotate their answers. What did not change is the same object as before. */
  #resolved(): readonly Endpoint[] {
    const known = new Map(this.#found.endpoints.map((endpoint) => [endpoint.id, endpoint]));
    const byId = new Map<string, Endpoint>();
    for (const written of this.#written.endpoints) {
      for (const endpoint of this.#addressesOf(written)) {
        if (byId.has(endpoint.id)) continue; // two names for one address
        const old = known.get(endpoint.id);
        byId.set(endpoint.id, old !== undefined && isSame(old, endpoint) ? old : endpoint);
      }
    }
    return [...byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  #addressesOf(written: Endpoint): readonly Endpoint[] {
    if (!isNamed(written)) return [written];
    const name = this.#watches?.get(written.address)?.name;
    if (name === undefined) return [];
    if (!this.#options.firstOnly) return name.addresses.map((address) => at(written, address));
    // As Envoy: an answer without an address takes away none that is in use.
    const [first] = name.lastAddresses;
    return first === undefined ? [] : [{ ...written, address: first, dnsName: written.address }];
  }
}

function at(written: Endpoint, address: string): Endpoint {
  return { ...written, id: endpointId(address, written.port), address, dnsName: written.address };
}

/** Its address is a name. */
export function isNamed({ address }: Pick<Endpoint, "address">): boolean {
  return isIP(address) === 0 && !address.startsWith("unix://");
}

/** The compiler keeps the objects of endpoints that did not change, and so those of their labels and localities. */
function isSame(a: Endpoint, b: Endpoint): boolean {
  return (
    a.address === b.address &&
    a.dnsName === b.dnsName &&
    a.hostname === b.hostname &&
    a.weight === b.weight &&
    a.labels === b.labels &&
    a.locality === b.locality &&
    a.serviceAccount === b.serviceAccount &&
    a.workloads === b.workloads
  );
}
