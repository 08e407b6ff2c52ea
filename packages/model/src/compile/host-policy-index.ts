/**
 * Which document of one of our kinds holds for a host. The levels are a DestinationRule's: the caller's namespace, the host's, the
 * root namespace; the first that names the host wins, by its exact name or else the longest wildcard, the oldest of those.
 */

import type { Resource } from "../resource.js";
import { getOrMake } from "./get-or-make.js";
import { qualifiedHost } from "./host.js";
import { HostMap } from "./host-map.js";

type Named = Resource<{ readonly host?: string | undefined; readonly subset?: string | undefined }>;

export class HostPolicyIndex<Document extends Named> {
  /** By namespace of the documents. */
  readonly #levels = new Map<string, HostMap<Document[]>>();

  /** @param resources oldest first */
  constructor(resources: readonly Document[]) {
    for (const resource of resources) {
      const { namespace, spec } = resource;
      const host = qualifiedHost(spec.host ?? "", namespace);
      const level = getOrMake(this.#levels, namespace, () => new HostMap<Document[]>());
      const known = level.get(host);
      if (known === undefined) level.set(host, [resource]);
      else known.push(resource);
    }
  }

  /**
   * @param namespaces of the levels, the first one first
   * @param subset one that names it comes before one that names none
   */
  find(host: string, namespaces: readonly string[], subset = ""): Document | undefined {
    for (const namespace of namespaces) {
      const found = this.all(host, namespace);
      const meant =
        found.find(({ spec }) => subset !== "" && spec.subset === subset) ?? found.find(({ spec }) => !spec.subset);
      if (meant !== undefined) return meant;
    }
    return undefined;
  }

  /** Those of a namespace that speak for a host, oldest first: of its exact name, or else of the longest wildcard. */
  all(host: string, namespace: string): readonly Document[] {
    return this.#levels.get(namespace)?.find(host) ?? [];
  }
}
