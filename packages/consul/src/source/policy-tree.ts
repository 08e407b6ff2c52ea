/** All policy below a prefix, by one blocking query. */

import type { ParseDocuments } from "@inmesh/core/internal";
import type { Document, Problem } from "@inmesh/model";
import { keyPath } from "../keys.js";
import { BlockingQuery } from "../watch/blocking-query.js";
import type { Watch } from "../watch/watch.js";
import { mayRead } from "./access.js";
import type { InstanceWatchesOptions } from "./instance-watches.js";
import { type KvEntry, kvEntries, PolicyKeys } from "./policy-keys.js";

export interface PolicyTreeOptions extends InstanceWatchesOptions {
  readonly prefix: string;
  readonly parse: ParseDocuments;
  /** Whether the answer is one: throws where it is not. */
  readonly refuse?: (entries: readonly KvEntry[], index: bigint | undefined) => void;
}

export class PolicyTree {
  readonly watch: Watch;
  readonly #keys: PolicyKeys;

  /** @param options `onChange`: policy is another; `fewer`: something is gone, and may stand elsewhere now */
  constructor({ prefix, parse, onChange, ...options }: PolicyTreeOptions) {
    const { client } = options;
    this.#keys = new PolicyKeys(parse, client.target.namespace);
    let looked = false;
    this.watch = new BlockingQuery({
      ...options,
      path: keyPath(prefix),
      query: { recurse: "" },
      onAnswer: async ({ status, body }) => {
        const entries = kvEntries(status, body, client.shown);
        const vanished = this.#keys.vanished(entries);
        // Without the right to read it policy looks as if there were none, and a process without policy is an open door.
        const hidden = entries.length === 0 && !looked ? [prefix] : vanished;
        await mayRead(
          options,
          hidden.map((segment) => ({ resource: "key", segment })),
        );
        looked = true;
        if (!this.#keys.update(entries)) return false;
        onChange(vanished.length > 0);
        return true;
      },
    });
  }

  get documents(): readonly Document[] {
    return this.#keys.documents;
  }

  get problems(): readonly Problem[] {
    return this.#keys.problems;
  }
}
