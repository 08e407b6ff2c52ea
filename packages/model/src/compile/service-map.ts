/** The services a client sees, by host, and the ways to find one that are not its host. */

import type { ServiceSpec } from "../kind/service.js";
import type { ServiceEntrySpec } from "../kind/service-entry.js";
import type { Resource } from "../resource.js";
import type { Service } from "../snapshot/workload.js";
import { getOrMake } from "./get-or-make.js";
import { compareSpecificity, hostCovers, isWildcard } from "./host.js";
import { entryServices, kubernetesService } from "./services.js";
import { isVisible } from "./visibility.js";

export class ServiceMap {
  readonly byHost: ReadonlyMap<string, Service>;
  readonly #byAddress = new Map<string, Service>();
  /** Most specific first. */
  readonly #wildcards: readonly Service[];

  constructor(byHost: ReadonlyMap<string, Service>) {
    this.byHost = byHost;
    const wildcards: Service[] = [];
    for (const service of byHost.values()) {
      for (const address of service.addresses) if (!this.#byAddress.has(address)) this.#byAddress.set(address, service);
      if (isWildcard(service.host)) wildcards.push(service);
    }
    this.#wildcards = wildcards.sort((a, b) => compareSpecificity(a.host, b.host));
  }

  /** By a virtual address. */
  at(address: string): Service | undefined {
    return this.#byAddress.get(address);
  }

  /** The most specific wildcard ServiceEntry that means `host`. */
  covering(host: string): Service | undefined {
    return this.#wildcards.find((service) => hostCovers(service.host, host));
  }

  find(host: string): Service | undefined {
    return this.byHost.get(host) ?? this.covering(host);
  }
}

export interface ServiceSources {
  readonly kubernetes: readonly Resource<ServiceSpec>[];
  readonly entries: readonly Resource<ServiceEntrySpec>[];
  readonly implicit: Iterable<Service>;
}

/**
 * @param remembered services a resource made before: an unchanged document keeps its service
 * @param imports the Sidecar's say
 */
export function visibleServices(
  { kubernetes, entries, implicit }: ServiceSources,
  namespace: string,
  exportTo: readonly string[],
  remembered: WeakMap<Resource, readonly Service[]>,
  imports: (service: Service) => boolean,
): Map<string, Service> {
  const services = new Map<string, Service>();
  const offer = (service: Service): void => {
    if (services.has(service.host) || !isVisible(service.exportTo, service.namespace, namespace)) return;
    if (imports(service)) services.set(service.host, service);
  };
  const declared = (resource: Resource, make: () => readonly Service[]): void => {
    for (const service of getOrMake(remembered, resource, make)) offer(service);
  };
  for (const resource of kubernetes) declared(resource, () => [kubernetesService(resource, exportTo)]);
  const own = (resource: Resource) => (resource.namespace === namespace ? 0 : 1);
  for (const resource of [...entries].sort((a, b) => own(a) - own(b))) {
    declared(resource, () => entryServices(resource, exportTo));
  }
  for (const service of implicit) offer(service);
  return services;
}
