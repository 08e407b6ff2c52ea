/**
 * Which document of one of our kinds holds for a host. The levels are a DestinationRule's: the caller's namespace, the host's, the
 * root namespace; the first that names the host wins, by its exact name or else the longest wildcard, the oldest of those.
 */

import type { Resource } from "../resource.js";
import { getOrMake } from "./get-or-make.js";
import { compareSpecificity, hostCovers, isWildcard, qualifiedHost } from "./host.js";

type Named = Resource<{ readonly host?: string | undefined; readonly subset?: string | undefined }>;

interface Level<Document> {
  readonly exact: Map<string, Document[]>;
  /** Most specific first. */
  readonly wildcards: [host: string, documents: Document[]][];
}

export class HostPolicyIndex<Document extends Named> {
  /** By namespace of the documents. */
  readonly #levels = new Map<string, Level<Document>>();

  /** @param resources oldest first */
  constructor(resources: readonly Document[]) {
    for (const resource of resources) {
      const { namespace, spec } = resource;
      const host = qualifiedHost(spec.host ?? "", namespace);
      const { exact, wildcards } = getOrMake(this.#levels, namespace, () => ({ exact: new Map(), wildcards: [] }));
      if (!isWildcard(host)) getOrMake(exact, host, () => []).push(resource);
      else {
        const same = wildcards.find(([pattern]) => pattern === host);
        if (same === undefined) wildcards.push([host, [resource]]);
        else same[1].push(resource);
      }
    }
    for (const { wildcards } of this.#levels.values()) wildcards.sort(([a], [b]) => compareSpecificity(a, b));
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
    const level = this.#levels.get(namespace);
    if (level === undefined) return [];
    return level.exact.get(host) ?? level.wildcards.find(([pattern]) => hostCovers(pattern, host))?.[1] ?? [];
  }
}
