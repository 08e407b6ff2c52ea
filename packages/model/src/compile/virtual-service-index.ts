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

/** Who names which hosts. Indices whose documents differ in their rules only share one. */
class NamedHosts {
  readonly exact = new Map<string, VirtualService>();
  /** The second that names a host, and those after it. */
  readonly more = new Map<string, VirtualService[]>();
  /** Most specific first; of equal hosts the first in order. */
  readonly wildcards: (readonly [host: string, resource: VirtualService])[] = [];
  /** In the order in which they win: private to the client, exported to it by name, public; older first. */
  readonly imported: readonly VirtualService[];

  constructor(imported: readonly VirtualServiceFacts[]) {
    this.imported = imported.map(({ resource }) => resource);
    for (const { hosts, resource } of imported) for (const host of hosts) this.#add(host, resource);
    this.wildcards.sort(([a], [b]) => compareSpecificity(a, b)); // stable: order decides among equals
  }

  #add(host: string, resource: VirtualService): void {
    if (isWildcard(host)) this.wildcards.push([host, resource]);
    else if (!this.exact.has(host)) this.exact.set(host, resource);
    else getOrMake(this.more, host, () => []).push(resource);
  }
}

export interface VirtualServicesKnown {
  readonly client: ClientContext;
  readonly defaultExportTo: readonly string[];
  readonly scope: SidecarScope | undefined;
  /** Of documents looked at before, for the same client and default. */
  readonly remembered: WeakMap<Resource, VirtualServiceFacts>;
}

/** So many documents are looked up through another one's place; then the table is made anew. */
const MOST_REPLACED = 32;

export class VirtualServiceIndex {
  readonly #all: readonly VirtualService[];
  readonly #known: VirtualServicesKnown;
  readonly #hosts: NamedHosts;
  /** What stands in the table, and what it is by now. */
  readonly #replaced: ReadonlyMap<VirtualService, VirtualService>;
  #byName: Map<string, VirtualService> | undefined;

  /**
   * @param resources oldest first
   * @param previous for the same client, default and scope
   */
  constructor(resources: readonly VirtualService[], known: VirtualServicesKnown, previous?: VirtualServiceIndex) {
    this.#all = resources;
    this.#known = known;
    const replaced = previous && this.#sameHosts(previous);
    this.#hosts = replaced === undefined ? new NamedHosts(this.#imports()) : previous!.#hosts;
    this.#replaced = replaced ?? new Map();
  }

  /** In the order in which they win: private to the client, exported to it by name, public; older first. */
  get imported(): readonly VirtualService[] {
    return this.#hosts.imported.map((resource) => this.#latest(resource));
  }

  /** Hosts written without a wildcard. */
  hosts(): IterableIterator<string> {
    return this.#hosts.exact.keys();
  }

  hasExact(host: string): boolean {
    return this.#hosts.exact.has(host);
  }

  /**
   * Who speaks about a host: the first of those that name it, and when none of its rules is for the caller the next of
   * them. Where nobody names it, the one with the most specific wildcard, alone.
   * @param turn 0 for the first
   */
  find(host: string, turn = 0): VirtualService | undefined {
    const first = this.#hosts.exact.get(host);
    if (first === undefined) return turn === 0 ? this.wildcard(host)?.[1] : undefined;
    const named = turn === 0 ? first : this.#hosts.more.get(host)?.[turn - 1];
    return named && this.#latest(named);
  }

  /** The most specific pattern that covers a host, and whose it is. */
  wildcard(host: string): readonly [pattern: string, resource: VirtualService] | undefined {
    const found = this.#hosts.wildcards.find(([pattern]) => hostCovers(pattern, host));
    return found && [found[0], this.#latest(found[1])];
  }

  /** A delegate has no hosts, and must be exported to its root's namespace. */
  delegate(namespace: string, name: string, rootNamespace: string): VirtualService | undefined {
    this.#byName ??= new Map(this.#all.map((resource) => [`${resource.namespace}/${resource.name}`, resource]));
    const found = this.#byName.get(`${namespace}/${name}`);
    if (found === undefined || (found.spec.hosts ?? []).length > 0) return undefined;
    const exportTo = effectiveExportTo(found.spec.exportTo, this.#known.defaultExportTo);
    return isVisible(exportTo, namespace, rootNamespace) ? found : undefined;
  }

  #latest(resource: VirtualService): VirtualService {
    return this.#replaced.get(resource) ?? resource;
  }

  #factsOf(resource: VirtualService): VirtualServiceFacts {
    const { client, defaultExportTo, remembered } = this.#known;
    return getOrMake(remembered, resource, () => factsOf(resource, client, defaultExportTo));
  }

  #imports(): readonly VirtualServiceFacts[] {
    const { scope } = this.#known;
    const groups: readonly VirtualServiceFacts[][] = [[], [], []];
    for (const resource of this.#all) {
      const facts = this.#factsOf(resource);
      if (facts.rank === "notMeant") continue;
      if (scope?.narrows === true && !scope.importsVirtualService(resource.namespace, facts.hosts)) continue;
      groups[facts.rank]!.push(facts); // 0 to 2
    }
    return groups.flat();
  }

  /**
   * What is most often edited: the rules of one document. Nobody's place in the order changes by it.
   * @returns what stands for what in the table of `previous`; undefined: a new table is needed
   */
  #sameHosts(previous: VirtualServiceIndex): ReadonlyMap<VirtualService, VirtualService> | undefined {
    const all = this.#all;
    const before = previous.#all;
    if (all.length !== before.length || previous.#replaced.size >= MOST_REPLACED) return undefined;
    const at = all.findIndex((resource, index) => resource !== before[index]);
    const [old, young] = [before[at], all[at]];
    if (old === undefined || young === undefined) return previous.#replaced;
    for (let index = at + 1; index < all.length; index++) if (all[index] !== before[index]) return undefined;
    const [was, is] = [this.#factsOf(old), this.#factsOf(young)];
    if (old.namespace !== young.namespace || was.rank !== is.rank || was.hosts.join() !== is.hosts.join())
      return undefined;
    const place = [...previous.#replaced].find(([, latest]) => latest === old)?.[0] ?? old;
    return new Map(previous.#replaced).set(place, young);
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
