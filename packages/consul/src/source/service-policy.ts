/** Policy for one service alone, by a blocking query of its prefix. */

import type { ServiceRef } from "@inmesh/core";
import type { Document, Problem } from "@inmesh/model";
import { ConsulError } from "../client/consul-error.js";
import { keyPath, servicePrefix } from "../keys.js";
import { BlockingQuery, nextIndex } from "../watch/blocking-query.js";
import type { Watch } from "../watch/watch.js";
import { mayRead } from "./access.js";
import { kvEntries, PolicyKeys } from "./policy-keys.js";
import type { ServicePoliciesOptions } from "./service-policies.js";

export interface ServicePolicyOptions extends Omit<ServicePoliciesOptions, "own" | "onChange"> {
  /** `namespace/service`. */
  readonly service: string;
  /** Index of the list that names its keys. */
  readonly listIndex: () => bigint | undefined;
  /** @param fewer something is gone, and may stand elsewhere now */
  readonly onChange: (fewer: boolean) => void;
  /** After the first answer, once it counts as answered. */
  readonly onFirst: () => void;
}

export class ServicePolicy {
  readonly watch: Watch;
  readonly #keys: PolicyKeys;

  constructor({
    client,
    clock,
    random,
    parse,
    service,
    listIndex,
    onChange,
    onFirst,
    onSettled,
  }: ServicePolicyOptions) {
    const { target, shown } = client;
    this.#keys = new PolicyKeys(parse, target.namespace);
    const path = servicePrefix(target, refOf(service));
    let answered = false;
    this.watch = new BlockingQuery({
      ...{ client, clock, random },
      path: keyPath(path),
      query: { recurse: "" },
      onAnswer: async (answer) => {
        const entries = kvEntries(answer.status, answer.body, shown);
        if (entries.length === 0 && isBehind(nextIndex(answer), listIndex())) {
          throw new ConsulError("failed", `the Consul server that answers has not heard of the keys below ${path} yet`);
        }
        const vanished = this.#keys.vanished(entries);
        await mayRead(
          { client, clock },
          vanished.map((segment) => ({ resource: "key", segment })),
        );
        if (!this.#keys.update(entries)) return false;
        onChange(vanished.length > 0);
        return true;
      },
      onSettled: () => {
        if (!answered && this.watch.answered) {
          answered = true;
          onFirst();
        }
        onSettled();
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
function isBehind(found: bigint | undefined, listed: bigint | undefined): boolean {
  return found !== undefined && listed !== undefined && found < listed;
}

function refOf(service: string): ServiceRef {
  const slash = service.indexOf("/");
  return { namespace: service.slice(0, slash), service: service.slice(slash + 1) };
}
