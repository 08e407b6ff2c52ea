/** Whose policy a call may need: that of the service it is addressed to, and of all that rules lead to from there. */

import type { Document } from "@inmesh/model";
import { declaredBy, destinationsOf, onlyServiceOf } from "../policy-place.js";
import { serviceKey } from "../service-name.js";

/** What everybody reads, by whom it is about. Services by `namespace/service`. */
export interface SharedPolicy {
  /** Whose own policy everybody needs: where rules for several lead, and whom documents declare. */
  readonly always: ReadonlySet<string>;
  /** Documents for one service alone that stand among those for everybody, as they did before services had prefixes. */
  readonly byService: ReadonlyMap<string, readonly Document[]>;
}

export function sharedPolicy(documents: readonly Document[]): SharedPolicy {
  const always = new Set<string>();
  const byService = new Map<string, Document[]>();
  for (const document of documents) {
    for (const declared of declaredBy(document)) always.add(serviceKey(declared));
    const only = onlyServiceOf(document);
    if (only === undefined) {
      for (const each of destinationsOf(document)) always.add(serviceKey(each));
      continue;
    }
    const key = serviceKey(only);
    byService.set(key, [...(byService.get(key) ?? []), document]);
  }
  return { always, byService };
}

export function documentsFor({ byService }: SharedPolicy, service: string): readonly Document[] {
  return byService.get(service) ?? [];
}

export class PolicyReach {
  readonly #destinations = new WeakMap<Document, readonly string[]>();

  /** These services, and those that the documents of any of them lead to. */
  from(services: Iterable<string>, documentsOf: (service: string) => readonly Document[]): ReadonlySet<string> {
    const found = new Set(services);
    for (const service of found) {
      // A set hands out what is added meanwhile.
      for (const document of documentsOf(service)) for (const next of this.#of(document)) found.add(next);
    }
    return found;
  }

  #of(document: Document): readonly string[] {
    let known = this.#destinations.get(document);
    if (known === undefined) {
      known = destinationsOf(document).map(serviceKey);
      this.#destinations.set(document, known);
    }
    return known;
  }
}
