/** Authorities, as callers write them, to virtual hosts; each compiled on first use. */

import type { RouteTable, VirtualHost } from "../snapshot/route.js";
import type { Service } from "../snapshot/workload.js";
import { getOrMake } from "./get-or-make.js";
import { hostCandidates, isWildcard, normalizedHost } from "./host.js";
import { Memo } from "./memo.js";
import type { ClientView } from "./view.js";
import { compileVirtualHost, type HostTarget } from "./virtual-host.js";

/** Spellings kept per snapshot. A process that calls ever new hosts outside the mesh must not fill its memory with them. */
const MAX_SPELLINGS = 4_096;

/** Of a URL that names none: rules for hosts without a service are about it, in Istio. */
const DEFAULT_PORT = 80;

export class CompiledRouteTable implements RouteTable {
  readonly #view: ClientView;
  readonly #hosts: Memo<VirtualHost | undefined>;
  /** By port, then by host as written; null is known to be unknown. */
  readonly #spellings = new Map<number, Map<string, VirtualHost | null>>();
  #spellingCount = 0;

  /** @param previous table of a view with the same settings, mode and client */
  constructor(view: ClientView, previous?: CompiledRouteTable) {
    this.#view = view;
    this.#hosts = new Memo(view, previous === undefined ? undefined : previous.#hosts);
  }

  lookup(host: string, port: number): VirtualHost | undefined {
    const known = this.#spellings.get(port)?.get(host);
    return known === undefined ? this.#remember(host, port) : (known ?? undefined);
  }

  isOpaque(host: string, port: number): boolean {
    const target = this.#resolve(host, port);
    return target?.service !== undefined && speaksTls(target.service, port);
  }

  all(): readonly VirtualHost[] {
    const { services, virtualServices } = this.#view;
    const targets: HostTarget[] = [];
    for (const service of services.byHost.values()) {
      if (isWildcard(service.host)) continue; // stands for hosts that only a request names
      for (const { number } of service.ports) {
        if (!speaksTls(service, number) && this.#view.mayCall(service, number))
          targets.push({ host: service.host, port: number, service });
      }
    }
    for (const host of virtualServices.hosts()) {
      const service = services.byHost.get(host);
      if (service === undefined) targets.push({ host, port: DEFAULT_PORT, service: services.covering(host) });
      else if (!this.#view.mayCall(service, DEFAULT_PORT) && this.#isRuledAt(host, DEFAULT_PORT)) {
        targets.push({ host, port: DEFAULT_PORT, service: undefined });
      }
    }
    const hosts = targets.flatMap((target) => this.#compiled(target) ?? []);
    return hosts.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }

  #remember(host: string, port: number): VirtualHost | undefined {
    const target = this.#resolve(host, port);
    const opaque = target?.service !== undefined && speaksTls(target.service, port);
    const found = target === undefined || opaque ? undefined : this.#compiled(target);
    if (this.#spellingCount >= MAX_SPELLINGS) {
      this.#spellings.clear();
      this.#spellingCount = 0;
    }
    getOrMake(this.#spellings, port, () => new Map<string, VirtualHost | null>()).set(host, found ?? null);
    this.#spellingCount += 1;
    return found;
  }

  #compiled(target: HostTarget): VirtualHost | undefined {
    const { host, port, service } = target;
    return this.#hosts.get(`${host}:${port}`, (ask) => {
      ask(ownOrCovering, host);
      return compileVirtualHost({ host, port, service }, this.#view, ask);
    });
  }

  /**
   * A host that is some service's own name is never taken for another's short form. A known service that does not have
   * the port is passed by, as by Istio, where no listener would know it; but for port 80, where Istio honours every
   * VirtualService that names a host. A host without a service is known when a VirtualService names it. Differs: Istio
   * honours such a host on port 80 only; a process sees what is addressed. A dot at the end makes any name a whole one.
   */
  #resolve(written: string, port: number): HostTarget | undefined {
    const { services, virtualServices, client } = this.#view;
    const host = normalizedHost(written);
    const candidates = written.endsWith(".") ? [host] : hostCandidates(host, client.namespace);
    for (const candidate of candidates) {
      const service = services.byHost.get(candidate);
      if (service !== undefined) return this.#withPort(candidate, port, service);
    }
    const addressed = services.at(host);
    if (addressed !== undefined) return this.#withPort(addressed.host, port, addressed);
    const named = candidates.find((candidate) => virtualServices.hasExact(candidate));
    const covering = services.covering(named ?? host);
    if (covering !== undefined) return this.#withPort(named ?? host, port, covering);
    if (named !== undefined) return { host: named, port, service: undefined };
    // A wildcard means names as they are written: short forms are a matter of services that exist. One that covers services
    // is about them, and about no other name (measured with Istio).
    const wildcard = virtualServices.wildcard(host);
    if (wildcard === undefined || services.anyUnder(wildcard[0])) return undefined;
    return { host, port, service: undefined };
  }

  #withPort(host: string, port: number, service: Service): HostTarget | undefined {
    if (this.#view.mayCall(service, port)) return { host, port, service };
    return this.#isRuledAt(host, port) ? { host, port, service: undefined } : undefined;
  }

  /** Of a service that has no such port. */
  #isRuledAt(host: string, port: number): boolean {
    const { virtualServices } = this.#view;
    return (
      port === DEFAULT_PORT && virtualServices.hasExact(host) && this.#view.virtualService(host, port, 0) !== undefined
    );
  }
}

function ownOrCovering({ services }: ClientView, host: string): Service | undefined {
  return services.byHost.get(host) ?? services.covering(host);
}

/** HTTP rules do not apply to such ports (policy-semantics §0.8): the application's own TLS goes through untouched. */
function speaksTls({ ports }: Service, port: number): boolean {
  const protocol = ports.find(({ number }) => number === port)?.protocol;
  return protocol === "https" || protocol === "tls";
}
