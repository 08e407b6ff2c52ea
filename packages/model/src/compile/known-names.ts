/**
 * Names of a registry that tells instances only of services in use, and which of them stand behind which service.
 *
 * An implicit service is its own name. What a document declares may be made of any workload that its selector chooses, and
 * which those are is seen only once they are told: so the names are asked for that people give to such workloads, the
 * declared service's own and the values of the selector's labels `app` and `app.kubernetes.io/name`. Workloads under other
 * names count as soon as somebody has called those.
 */

import type { ServiceSpec } from "../kind/service.js";
import type { ServiceEntrySpec } from "../kind/service-entry.js";
import type { Resource } from "../resource.js";
import type { KnownService, Service } from "../snapshot/workload.js";
import type { Labels } from "./labels.js";
import { listChange } from "./order.js";
import { serviceHost } from "./services.js";

/** Labels whose value is a service's name by custom. */
const NAME_LABELS = ["app", "app.kubernetes.io/name"] as const;

const NO_KEYS: readonly string[] = [];

/** By `namespace/service`. Immutable. */
export class KnownNames {
  readonly list: readonly KnownService[];
  readonly #byKey: ReadonlyMap<string, KnownService>;

  private constructor(list: readonly KnownService[], byKey: ReadonlyMap<string, KnownService>) {
    this.list = list;
    this.#byKey = byKey;
  }

  static create(list: readonly KnownService[]): KnownNames {
    return new KnownNames(list, new Map(list.map((known) => [nameKey(known), known])));
  }

  /** @returns the names as they are now, and the keys of those that are others than before */
  static after(
    before: KnownNames | undefined,
    list: readonly KnownService[] | undefined,
  ): { readonly names: KnownNames | undefined; readonly changed: readonly string[] } {
    if (before !== undefined && list !== undefined) return before.with(list);
    const names = list && KnownNames.create(list);
    return { names, changed: [...((names ?? before)?.keys() ?? [])] };
  }

  get(key: string): KnownService | undefined {
    return this.#byKey.get(key);
  }

  keys(): Iterable<string> {
    return this.#byKey.keys();
  }

  /** @returns these same names when `list` holds the same objects, and the keys of those that are others now */
  with(list: readonly KnownService[]): { readonly names: KnownNames; readonly changed: readonly string[] } {
    const { removed, added } = listChange(this.list, list);
    if (removed.length === 0 && added.length === 0) return { names: this, changed: NO_KEYS };
    const byKey = new Map(this.#byKey);
    for (const gone of removed) byKey.delete(nameKey(gone));
    for (const known of added) byKey.set(nameKey(known), known);
    return { names: new KnownNames(list, byKey), changed: [...new Set([...removed, ...added].map(nameKey))] };
  }
}

export function nameKey({ namespace, service }: Pick<KnownService, "namespace" | "service">): string {
  return `${namespace}/${service}`;
}

/**
 * Keys of the names under which the registry may have instances of a declared service; empty where they come from the
 * document, or from the DNS.
 * @param resourceOf the document that declares a service
 */
export function namesOf(service: Service, resourceOf: (key: string) => Resource | undefined): readonly string[] {
  const keys = (service.joins ?? [service]).flatMap((part) => partNames(part, resourceOf(part.resource)));
  return [...new Set(keys)];
}

function partNames({ name, namespace, host }: Service, resource: Resource | undefined): readonly string[] {
  if (resource?.kind === "Service") {
    const { type, selector = {} } = resource.spec as ServiceSpec;
    return type === "ExternalName" ? NO_KEYS : selectedNames(name, namespace, selector);
  }
  if (resource?.kind !== "ServiceEntry") return NO_KEYS;
  const { endpoints = [], workloadSelector } = resource.spec as ServiceEntrySpec;
  if (endpoints.length > 0) return NO_KEYS;
  const [shortName = "", ofNamespace = ""] = host.split(".");
  const own =
    serviceHost(shortName, ofNamespace) === host ? [nameKey({ namespace: ofNamespace, service: shortName })] : [];
  const selector = workloadSelector?.labels ?? {};
  return Object.keys(selector).length === 0 ? own : [...own, ...selectedNames(name, namespace, selector)];
}

function selectedNames(name: string, namespace: string, selector: Labels): readonly string[] {
  const names = [name, ...NAME_LABELS.flatMap((label) => selector[label] ?? [])];
  return names.map((service) => nameKey({ namespace, service }));
}
