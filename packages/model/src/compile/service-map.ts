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

/** What hangs on hosts alone. */
interface HostIndex {
  readonly byAddress: ReadonlyMap<string, string>;
  readonly under: Map<string, boolean>;
  /** Most specific first. */
  readonly wildcards: readonly string[];
}

export class ServiceMap {
  readonly byHost: ReadonlyMap<string, Service>;
  readonly #index: HostIndex;

  /** @param index of the same hosts and addresses. @default made of them */
  private constructor(byHost: ReadonlyMap<string, Service>, index: HostIndex = indexHosts(byHost.values())) {
    this.byHost = byHost;
    this.#index = index;
  }

  static create(byHost: ReadonlyMap<string, Service>): ServiceMap {
    return new ServiceMap(byHost);
  }

  /** With other objects for some services, whose hosts and addresses are the same. */
  with(replaced: readonly Service[]): ServiceMap {
    const others = replaced.filter((service) => this.byHost.get(service.host) !== service);
    if (others.length === 0) return this;
    const byHost = new Map(this.byHost);
    for (const service of others) byHost.set(service.host, service);
    return new ServiceMap(byHost, this.#index);
  }

  /** By a virtual address. */
  at(address: string): Service | undefined {
    const host = this.#index.byAddress.get(address);
    return host === undefined ? undefined : this.byHost.get(host);
  }

  /** The most specific wildcard ServiceEntry that means `host`. */
  covering(host: string): Service | undefined {
    const pattern = this.#index.wildcards.find((wildcard) => hostCovers(wildcard, host));
    return pattern === undefined ? undefined : this.byHost.get(pattern);
  }

  /** Whether a pattern covers the host of any service. */
  anyUnder(pattern: string): boolean {
    return getOrMake(this.#index.under, pattern, () =>
      [...this.byHost.keys()].some((host) => hostCovers(pattern, host)),
    );
  }

  find(host: string): Service | undefined {
    return this.byHost.get(host) ?? this.covering(host);
  }
}

function indexHosts(services: Iterable<Service>): HostIndex {
  const byAddress = new Map<string, string>();
  const wildcards: string[] = [];
  for (const { host, addresses } of services) {
    for (const address of addresses) if (!byAddress.has(address)) byAddress.set(address, host);
    if (isWildcard(host)) wildcards.push(host);
  }
  return { byAddress, under: new Map(), wildcards: wildcards.sort(compareSpecificity) };
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
