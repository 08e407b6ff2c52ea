/** Policy as Consul holds it: resources in the key-value store, and Consul's own config entries as resources of the mesh. */

import type { ServiceRef } from "@inmesh/core";
import type { ParseDocuments } from "@inmesh/core/internal";
import { uniqueDocuments } from "@inmesh/core/internal";
import type { Document, Problem } from "@inmesh/model";
import { giveWay, type Translation, translateConfigEntries } from "../config-entry/index.js";
import { policyPrefix, servicesPrefix } from "../keys.js";
import type { Watch } from "../watch/watch.js";
import { EntryWatches } from "./entry-watches.js";
import type { InstanceWatchesOptions } from "./instance-watches.js";
import { parseBelowServices } from "./misplaced.js";
import { PolicyTree } from "./policy-tree.js";
import { ServicePolicies, type ToldPolicies } from "./service-policies.js";

export interface PolicySourceOptions extends InstanceWatchesOptions {
  readonly parse: ParseDocuments;
  /** Names in the catalog; the same list until they change. */
  readonly services: () => readonly string[];
  /** Policy for one service alone is read of this one and of those in use; absent: of all. */
  readonly own?: ServiceRef;
}

export interface Policy {
  readonly documents: readonly Document[];
  readonly problems: readonly Problem[];
  /** Absent where there are no config entries. */
  readonly standing: Translation | undefined;
}

const NONE: readonly ServiceRef[] = [];

export class PolicySource {
  readonly #options: PolicySourceOptions;
  /** What everybody reads; then, where all is read, what is for one service each. */
  readonly #trees: readonly PolicyTree[];
  /** Absent where all is read. */
  readonly #services: ServicePolicies | undefined;
  readonly #entries: EntryWatches | undefined;
  #written: ReturnType<typeof uniqueDocuments> | undefined;
  #translation: Translation | undefined;
  /** The names with which it was made; undefined: entries have changed since. */
  #translatedFor: readonly string[] | undefined;
  #policy: Policy | undefined;
  /** What it was made from. */
  #from: readonly unknown[] = [];
  #toldBefore: ToldPolicies | undefined;

  constructor(options: PolicySourceOptions) {
    const { parse, own, client } = options;
    const { target } = client;
    this.#options = options;
    const onChange = (fewer?: boolean): void => {
      this.#written = undefined;
      options.onChange(fewer);
    };
    const shared = new PolicyTree({ ...options, onChange, prefix: policyPrefix(target) });
    const below = { ...options, onChange, parse: parseBelowServices(target, parse) };
    this.#services = own && new ServicePolicies({ ...below, own });
    this.#trees = own ? [shared] : [shared, new PolicyTree({ ...below, prefix: servicesPrefix(target) })];
    if (target.entries !== false)
      this.#entries = new EntryWatches({
        ...options,
        onChange: () => {
          this.#translatedFor = undefined;
          options.onChange();
        },
      });
  }

  get watches(): readonly Watch[] {
    const trees = this.#trees.map(({ watch }) => watch);
    return [...trees, ...(this.#services?.watches ?? []), ...(this.#entries?.watches ?? [])];
  }

  start(): void {
    this.#services?.start();
  }

  /** These services are called, and no others. By `namespace/service`. */
  use(services: ReadonlySet<string>): void {
    this.#services?.use(services);
  }

  /** See `ServicePolicies`. @param service `namespace/service` */
  rulesOf(service: string): boolean | undefined {
    return this.#services?.rulesOf(service);
  }

  /** Services whose own policy is read; undefined where that of all is. */
  get needed(): readonly string[] | undefined {
    return this.#services?.needed;
  }

  /** Services that rules name, whether they exist or not; the same list until it changes. */
  get named(): readonly ServiceRef[] {
    return this.#services?.named ?? NONE;
  }

  /** Sees to it that all is asked for that the policy so far leads to. */
  follow(): void {
    const translation = this.#translate();
    if (this.#services === undefined) return;
    const [shared] = this.#trees;
    this.#services.follow(shared?.documents ?? [], translation?.documents ?? []);
  }

  /** The same object until something changes, and while rules are on their way that belong to the change. */
  get policy(): Policy {
    this.follow();
    const services = this.#services;
    if (services?.waiting && this.#policy !== undefined) return this.#policy;
    const told = services?.told;
    const standing = this.#translation;
    if (told !== this.#toldBefore) this.#written = undefined;
    this.#toldBefore = told;
    this.#written ??= uniqueDocuments(
      inOrder([...this.#trees.flatMap(({ documents }) => documents), ...(told?.documents ?? [])]),
    );
    const own = this.#written;
    const from = [own, standing];
    if (this.#policy !== undefined && from.every((each, index) => each === this.#from[index])) return this.#policy;
    this.#from = from;
    const given = standing && giveWay(standing.documents, own.documents);
    const unreadable = [...this.#trees.flatMap(({ problems }) => problems), ...(told?.problems ?? [])];
    this.#policy = {
      documents: given === undefined ? own.documents : [...own.documents, ...given.documents],
      problems: [...unreadable, ...own.problems, ...(standing?.problems ?? []), ...(given?.problems ?? [])],
      standing,
    };
    return this.#policy;
  }

  #translate(): Translation | undefined {
    if (this.#entries === undefined) return undefined;
    const services = this.#options.services();
    if (this.#translatedFor === services) return this.#translation;
    this.#translatedFor = services;
    const { entries, intentions, facts } = this.#entries;
    const { namespace } = this.#options.client.target;
    const input = { entries, intentions, services, namespace, ...facts };
    const none = entries.length === 0 && intentions.length === 0;
    this.#translation = none ? undefined : translateConfigEntries(input, this.#translation);
    return this.#translation;
  }
}

/** In the order in which the keys were made, wherever they stand. */
function inOrder(documents: readonly Document[]): readonly Document[] {
  return [...documents].sort((a, b) => (a.origin.order ?? 0) - (b.origin.order ?? 0));
}
