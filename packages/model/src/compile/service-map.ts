/** The services a client sees, by host, and the ways to find one that are not its host. */

import type { ServiceSpec } from "../kind/service.js";
import type { ServiceEntrySpec } from "../kind/service-entry.js";
import type { Resource } from "../resource.js";
import type { Service } from "../snapshot/workload.js";
import { getOrMake } from "./get-or-make.js";
import { compareSpecificity, hostCovers, isWildcard } from "./host.js";
import { type JoinedServices, joinServices, joins } from "./joined-service.js";
import { entryServices, kubernetesService } from "./services.js";
import { isVisible } from "./visibility.js";

export class ServiceMap {
  readonly byHost: ReadonlyMap<string, Service>;
  readonly #byAddress = new Map<string, Service>();
  readonly #under = new Map<string, boolean>();
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

  /** Whether a pattern covers the host of any service. */
  anyUnder(pattern: string): boolean {
    return getOrMake(this.#under, pattern, () => [...this.byHost.keys()].some((host) => hostCovers(pattern, host)));
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

/** What was made before: an unchanged document keeps its service. */
export interface RememberedServices {
  readonly services: WeakMap<Resource, readonly Service[]>;
  readonly joined: JoinedServices;
}

/** @param imports the Sidecar's say */
export function visibleServices(
  { kubernetes, entries, implicit }: ServiceSources,
  namespace: string,
  exportTo: readonly string[],
  remembered: RememberedServices,
  imports: (service: Service) => boolean,
): Map<string, Service> {
  const services = new Map<string, Service[]>();
  const offer = (service: Service): void => {
    const older = services.get(service.host);
    if (older?.[0] !== undefined && !joins(older[0], service)) return;
    if (!isVisible(service.exportTo, service.namespace, namespace) || !imports(service)) return;
    if (older === undefined) services.set(service.host, [service]);
    else older.push(service);
  };
  const declared = (resource: Resource, make: () => readonly Service[]): void => {
    for (const service of getOrMake(remembered.services, resource, make)) offer(service);
  };
  for (const resource of kubernetes) declared(resource, () => [kubernetesService(resource, exportTo)]);
  const own = (resource: Resource) => (resource.namespace === namespace ? 0 : 1);
  for (const resource of [...entries].sort((a, b) => own(a) - own(b))) {
    declared(resource, () => entryServices(resource, exportTo));
  }
  for (const service of implicit) offer(service);
  return new Map([...services].map(([host, parts]) => [host, joinServices(parts, remembered.joined)!])); // none is empty
}
