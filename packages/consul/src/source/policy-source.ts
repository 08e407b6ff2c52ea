/** Policy as Consul holds it: resources in the key-value store, and Consul's own config entries as resources of the mesh. */

import { uniqueDocuments } from "@inmesh/core/internal";
import type { Document, Problem } from "@inmesh/model";
import { policyPrefix } from "../keys.js";
import { BlockingQuery } from "../watch/blocking-query.js";
import type { Watch } from "../watch/watch.js";
import { mayRead, type Readable } from "./access.js";
import { EntryWatches } from "./entry-watches.js";
import type { InstanceWatchesOptions } from "./instance-watches.js";
import { keyPath } from "./key-path.js";
import { kvEntries, type ParseDocuments, PolicyKeys } from "./policy-keys.js";

/** Consul's config entries → resources of the mesh. Pure. */
export interface EntryTranslator {
  readonly kinds: readonly string[];
  readonly translate: (input: EntriesAsListed) => TranslatedEntries;
}

export interface EntriesAsListed {
  readonly entries: readonly unknown[];
  /** Of servers that have no service-intentions. */
  readonly intentions: readonly unknown[];
  /** Resources of the mesh, which win where both speak of the same host. */
  readonly written: readonly Document[];
  /** Of services that say nothing of one. */
  readonly namespace: string;
}

export interface TranslatedEntries {
  readonly documents: readonly Document[];
  readonly problems: readonly Problem[];
  /** Other datacenters whose instances are wanted, by service as Consul names it. */
  readonly datacenters: ReadonlyMap<string, readonly string[]>;
}

export interface PolicySourceOptions extends InstanceWatchesOptions {
  readonly parse: ParseDocuments;
  readonly translator?: EntryTranslator;
}

export interface Policy {
  readonly documents: readonly Document[];
  readonly problems: readonly Problem[];
  readonly datacenters: ReadonlyMap<string, readonly string[]>;
}

export class PolicySource {
  readonly #options: PolicySourceOptions;
  readonly #keys: PolicyKeys;
  readonly #keyWatch: Watch;
  readonly #entries: EntryWatches | undefined;
  #translated = new Map<string, Document>();
  #policy: Policy | undefined;
  #looked = false;

  constructor(options: PolicySourceOptions) {
    const { client, clock, random, parse, translator, onSettled } = options;
    const { target, shown } = client;
    const changed = (): void => {
      this.#policy = undefined;
      options.onChange();
    };
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
        changed();
        return true;
      },
    });
    if (translator === undefined || target.entries === false) return;
    this.#entries = new EntryWatches({
      ...{ client, clock, random, onSettled, kinds: translator.kinds, onChange: changed },
    });
  }

  get watches(): readonly Watch[] {
    return [this.#keyWatch, ...(this.#entries?.watches ?? [])];
  }

  /** The same object until something changes. */
  get policy(): Policy {
    this.#policy ??= this.#read();
    return this.#policy;
  }

  /** Without the right to read it policy looks as if there were none, and a process without policy is an open door. */
  #hidden(found: number, vanished: readonly string[]): readonly Readable[] {
    const keys = found === 0 && !this.#looked ? [policyPrefix(this.#options.client.target)] : vanished;
    return keys.map((segment) => ({ resource: "key", segment }));
  }

  #read(): Policy {
    const { translator, client } = this.#options;
    const { documents, problems } = uniqueDocuments(this.#keys.documents);
    const own = { documents, problems: [...this.#keys.problems, ...problems], datacenters: new Map() };
    if (translator === undefined || this.#entries === undefined) return own;
    const { entries, intentions } = this.#entries;
    const { namespace } = client.target;
    const made = translator.translate({ entries, intentions, written: documents, namespace });
    const kept = made.documents.map((document) => {
      const before = this.#translated.get(document.key);
      return before?.hash === document.hash ? before : document;
    });
    this.#translated = new Map(kept.map((document) => [document.key, document]));
    return {
      documents: [...documents, ...kept],
      problems: [...own.problems, ...made.problems],
      datacenters: made.datacenters,
    };
  }
}
