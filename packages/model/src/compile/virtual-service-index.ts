/** Which VirtualService a client's request to a host comes under. policy-semantics §1.2. */

import type { VirtualServiceSpec } from "../kind/virtual-service.js";
import type { Resource } from "../resource.js";
import type { ClientContext } from "../snapshot/snapshot.js";
import { getOrMake } from "./get-or-make.js";
import { compareSpecificity, hostCovers, isWildcard, qualifiedHost } from "./host.js";
import type { SidecarScope } from "./sidecar-scope.js";
import { effectiveExportTo, isVisible } from "./visibility.js";

type VirtualService = Resource<VirtualServiceSpec>;

/** What a client knows of a VirtualService, whatever else there is. */
export interface VirtualServiceFacts {
  readonly resource: VirtualService;
  /** Qualified and lower-case. */
  readonly hosts: readonly string[];
  readonly rank: Rank;
}

/** Whose rules come first: private to the client, exported to it by name, public. `notMeant`: no rule of it is for this client. */
type Rank = 0 | 1 | 2 | "notMeant";

export class VirtualServiceIndex {
  readonly #exact = new Map<string, VirtualService>();
  /** The second that names a host, and those after it. */
  readonly #more = new Map<string, VirtualService[]>();
  /** Most specific first; of equal hosts the first in order. */
  readonly #wildcards: (readonly [host: string, resource: VirtualService])[] = [];
  /** In the order in which they win; older first. */
  readonly #imported: readonly VirtualServiceFacts[];
  readonly #all: readonly VirtualService[];
  readonly #defaultExportTo: readonly string[];
  #byName: Map<string, VirtualService> | undefined;

  /**
   * @param resources oldest first
   * @param remembered of documents looked at before, for the same client and default
   */
  constructor(
    resources: readonly VirtualService[],
    client: ClientContext,
    defaultExportTo: readonly string[],
    scope: SidecarScope | undefined,
    remembered: WeakMap<Resource, VirtualServiceFacts>,
  ) {
    this.#all = resources;
    this.#defaultExportTo = defaultExportTo;
    const groups: readonly VirtualServiceFacts[][] = [[], [], []];
    for (const resource of resources) {
      const facts = getOrMake(remembered, resource, () => factsOf(resource, client, defaultExportTo));
      if (facts.rank === "notMeant") continue;
      if (scope?.narrows === true && !scope.importsVirtualService(resource.namespace, facts.hosts)) continue;
      groups[facts.rank]!.push(facts); // 0 to 2
    }
    this.#imported = groups.flat();
    for (const { hosts, resource } of this.#imported) for (const host of hosts) this.#add(host, resource);
    this.#wildcards.sort(([a], [b]) => compareSpecificity(a, b)); // stable: order decides among equals
  }

  #add(host: string, resource: VirtualService): void {
    if (isWildcard(host)) this.#wildcards.push([host, resource]);
    else if (!this.#exact.has(host)) this.#exact.set(host, resource);
    else getOrMake(this.#more, host, () => []).push(resource);
  }

  /** In the order in which they win: private to the client, exported to it by name, public; older first. */
  get imported(): readonly VirtualService[] {
    return this.#imported.map(({ resource }) => resource);
  }

  /** Hosts written without a wildcard. */
  hosts(): IterableIterator<string> {
    return this.#exact.keys();
  }

  hasExact(host: string): boolean {
    return this.#exact.has(host);
  }

  /**
   * Who speaks about a host: the first of those that name it, and when none of its rules is for the caller the next of
   * them. Where nobody names it, the one with the most specific wildcard, alone.
   * @param turn 0 for the first
   */
  find(host: string, turn = 0): VirtualService | undefined {
    const named = this.#exact.get(host);
    if (named !== undefined) return turn === 0 ? named : this.#more.get(host)?.[turn - 1];
    return turn === 0 ? this.wildcard(host)?.[1] : undefined;
  }

  /** The most specific pattern that covers a host, and whose it is. */
  wildcard(host: string): readonly [pattern: string, resource: VirtualService] | undefined {
    return this.#wildcards.find(([pattern]) => hostCovers(pattern, host));
  }

  /** A delegate has no hosts, and must be exported to its root's namespace. */
  delegate(namespace: string, name: string, rootNamespace: string): VirtualService | undefined {
    this.#byName ??= new Map(this.#all.map((resource) => [`${resource.namespace}/${resource.name}`, resource]));
    const found = this.#byName.get(`${namespace}/${name}`);
    if (found === undefined || (found.spec.hosts ?? []).length > 0) return undefined;
    const exportTo = effectiveExportTo(found.spec.exportTo, this.#defaultExportTo);
    return isVisible(exportTo, namespace, rootNamespace) ? found : undefined;
  }
}

/** Qualified and lower-case. */
export function virtualServiceHosts({ spec, namespace }: VirtualService): readonly string[] {
  return (spec.hosts ?? []).map((host) => qualifiedHost(host, namespace));
}

/** In-process clients are the mesh: objects for gateways only are not theirs. */
export function isForMesh({ spec }: VirtualService): boolean {
  const { gateways = [] } = spec;
  return gateways.length === 0 || gateways.includes("mesh");
}

function factsOf(
  resource: VirtualService,
  { namespace: viewer }: ClientContext,
  defaultExportTo: readonly string[],
): VirtualServiceFacts {
  const { spec, namespace } = resource;
  const hosts = virtualServiceHosts(resource);
  const exportTo = effectiveExportTo(spec.exportTo, defaultExportTo);
  const isMeant =
    (spec.http ?? []).length > 0 && hosts.length > 0 && isForMesh(resource) && isVisible(exportTo, namespace, viewer);
  const rank = exportTo.includes("*") ? 2 : namespace === viewer ? 0 : 1;
  return { resource, hosts, rank: isMeant ? rank : "notMeant" };
}
