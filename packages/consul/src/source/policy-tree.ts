/** All policy below a prefix, by one blocking query. */

import type { ParseDocuments } from "@inmesh/core/internal";
import type { Document, Problem } from "@inmesh/model";
import { ConsulError } from "../client/consul-error.js";
import { keyPath } from "../keys.js";
import { BlockingQuery, nextIndex } from "../watch/blocking-query.js";
import type { Watch } from "../watch/watch.js";
import { mayReadKeys } from "./access.js";
import type { InstanceWatchesOptions } from "./instance-watches.js";
import { kvEntries, PolicyKeys } from "./policy-keys.js";

export interface PolicyTreeOptions extends InstanceWatchesOptions {
  readonly prefix: string;
  readonly parse: ParseDocuments;
  /** Index of what named the keys below the prefix, where something did: an answer from before it knows nothing of them. */
  readonly namedAt?: () => bigint | undefined;
}

export class PolicyTree {
  readonly watch: Watch;
  readonly #keys: PolicyKeys;

  /** @param options `onChange`: policy is another; `fewer`: something is gone, and may stand elsewhere now */
  constructor({ prefix, parse, onChange, namedAt = () => undefined, ...options }: PolicyTreeOptions) {
    const { client } = options;
    this.#keys = new PolicyKeys(parse, client.target.namespace);
    let looked = false;
    this.watch = new BlockingQuery({
      ...options,
      path: keyPath(prefix),
      query: { recurse: "" },
      onAnswer: async (answer) => {
        const entries = kvEntries(answer.status, answer.body, client.shown);
        if (entries.length === 0 && isBehind(nextIndex(answer), namedAt())) {
          throw new ConsulError(
            "failed",
            `the Consul server that answers has not heard of the keys below ${prefix} yet`,
          );
        }
        const vanished = this.#keys.vanished(entries);
        // Without the right to read it policy looks as if there were none, and a process without policy is an open door.
        const hidden = entries.length === 0 && !looked ? [prefix] : vanished;
        await mayReadKeys(options, hidden);
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

/** Of two servers one may know of keys that the other does not: an answer without any is then no answer. */
function isBehind(found: bigint | undefined, named: bigint | undefined): boolean {
  return found !== undefined && named !== undefined && found < named;
}
