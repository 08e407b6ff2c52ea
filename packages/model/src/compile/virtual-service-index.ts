/** Which VirtualService a client's request to a host comes under. policy-semantics §1.2. */

import type { VirtualServiceSpec } from "../kind/virtual-service.js";
import type { Resource } from "../resource.js";
import type { ClientContext } from "../snapshot/snapshot.js";
import { getOrMake } from "./get-or-make.js";
import { compareSpecificity, hostCovers, isWildcard, qualifiedHost } from "./host.js";
import type { SidecarScope } from "./sidecar-scope.js";
import { effectiveExportTo, isVisible } from "./visibility.js";

type VirtualService = Resource<VirtualServiceSpec>;

export class VirtualServiceIndex {
  /** In the order in which they win: private to the client, exported to it by name, public; older first. */
  readonly imported: readonly VirtualService[];
  readonly #exact = new Map<string, VirtualService[]>();
  /** Most specific first; of equal hosts the first in order. */
  readonly #wildcards: (readonly [host: string, resource: VirtualService])[] = [];
  readonly #all: readonly VirtualService[];
  readonly #defaultExportTo: readonly string[];
  #byName: Map<string, VirtualService> | undefined;

  /**
   * @param resources oldest first
   * @param remembered hosts of documents looked at before
   */
  constructor(
    resources: readonly VirtualService[],
    client: ClientContext,
    defaultExportTo: readonly string[],
    scope: SidecarScope | undefined,
    remembered: WeakMap<Resource, readonly string[]>,
  ) {
    this.#all = resources;
    this.#defaultExportTo = defaultExportTo;
    const hostsOf = (resource: VirtualService) => getOrMake(remembered, resource, () => virtualServiceHosts(resource));
    this.imported = selectImported(resources, client, defaultExportTo, (resource) => {
      return scope?.narrows !== true || scope.importsVirtualService(resource.namespace, hostsOf(resource));
    });
    for (const resource of this.imported) {
      for (const host of hostsOf(resource)) {
        if (isWildcard(host)) this.#wildcards.push([host, resource]);
        else getOrMake(this.#exact, host, () => []).push(resource);
      }
    }
    this.#wildcards.sort(([a], [b]) => compareSpecificity(a, b)); // stable: order decides among equals
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
    if (named !== undefined) return named[turn];
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

function selectImported(
  resources: readonly VirtualService[],
  client: ClientContext,
  defaultExportTo: readonly string[],
  imports: (resource: VirtualService) => boolean,
): readonly VirtualService[] {
  const groups: VirtualService[][] = [[], [], []];
  for (const resource of resources) {
    const { spec, namespace } = resource;
    if ((spec.http ?? []).length === 0 || (spec.hosts ?? []).length === 0 || !isForMesh(resource)) continue;
    const exportTo = effectiveExportTo(spec.exportTo, defaultExportTo);
    if (!isVisible(exportTo, namespace, client.namespace)) continue;
    if (!imports(resource)) continue;
    const rank = exportTo.includes("*") ? 2 : namespace === client.namespace ? 0 : 1;
    groups[rank]!.push(resource); // 0 to 2
  }
  return groups.flat();
}
