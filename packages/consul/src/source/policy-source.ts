/** Policy as Consul holds it: resources in the key-value store, and Consul's own config entries as resources of the mesh. */

import type { ParseDocuments } from "@inmesh/core/internal";
import { uniqueDocuments } from "@inmesh/core/internal";
import type { Document, Problem } from "@inmesh/model";
import { giveWay, type Translation, translateConfigEntries } from "../config-entry/index.js";
import { policyPrefix } from "../keys.js";
import { BlockingQuery } from "../watch/blocking-query.js";
import type { Watch } from "../watch/watch.js";
import { mayRead, type Readable } from "./access.js";
import { EntryWatches } from "./entry-watches.js";
import type { InstanceWatchesOptions } from "./instance-watches.js";
import { keyPath } from "./key-path.js";
import { kvEntries, PolicyKeys } from "./policy-keys.js";

export interface PolicySourceOptions extends InstanceWatchesOptions {
  readonly parse: ParseDocuments;
  /** Names in the catalog; the same list until they change. */
  readonly services: () => readonly string[];
}

export interface Policy {
  readonly documents: readonly Document[];
  readonly problems: readonly Problem[];
  /** Absent where there are no config entries. */
  readonly standing: Translation | undefined;
}

export class PolicySource {
  readonly #options: PolicySourceOptions;
  readonly #keys: PolicyKeys;
  readonly #keyWatch: Watch;
  readonly #entries: EntryWatches | undefined;
  #written: ReturnType<typeof uniqueDocuments> | undefined;
  #translation: Translation | undefined;
  /** The names with which it was made; undefined: entries have changed since. */
  #translatedFor: readonly string[] | undefined;
  #policy: Policy | undefined;
  /** What it was made from. */
  #from: readonly unknown[] = [];
  #looked = false;

  constructor(options: PolicySourceOptions) {
    const { client, clock, random, parse, onSettled } = options;
    const { target, shown } = client;
    this.#options = options;
    this.#keys = new PolicyKeys(parse, target.namespace);
    this.#keyWatch = new BlockingQuery({
      ...{ client, clock, random, onSettled },
      path: keyPath(policyPrefix(target)),
      query: { recurse: "" },
      onAnswer: async ({ status, body }) => {
        const entries = kvEntries(status, body, shown);
        await mayRead(options, this.#hidden(entries.length, this.#keys.vanished(entries)));
        this.#looked = true;
        if (!this.#keys.update(entries)) return false;
        this.#written = undefined;
        options.onChange();
        return true;
      },
    });
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
    return [this.#keyWatch, ...(this.#entries?.watches ?? [])];
  }

  /** The same object until something changes. */
  get policy(): Policy {
    this.#written ??= uniqueDocuments(this.#keys.documents);
    const own = this.#written;
    const standing = this.#translate();
    const from = [own, standing];
    if (this.#policy !== undefined && from.every((each, index) => each === this.#from[index])) return this.#policy;
    this.#from = from;
    const given = standing && giveWay(standing.documents, own.documents);
    this.#policy = {
      documents: given === undefined ? own.documents : [...own.documents, ...given.documents],
      problems: [...this.#keys.problems, ...own.problems, ...(standing?.problems ?? []), ...(given?.problems ?? [])],
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

  /** Without the right to read it policy looks as if there were none, and a process without policy is an open door. */
  #hidden(found: number, vanished: readonly string[]): readonly Readable[] {
    const keys = found === 0 && !this.#looked ? [policyPrefix(this.#options.client.target)] : vanished;
    return keys.map((segment) => ({ resource: "key", segment }));
  }
}
