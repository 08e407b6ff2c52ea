/**
 * Policy for one service alone, of those services that matter to this process: one held question for the names of all keys
 * below the services' prefix, and one for the rules of each service that is needed and has any. Services go by `namespace/service`
 * here. docs/design/2026-11-29-policy-by-service.md
 */

import type { ServiceRef } from "@inmesh/core";
import { type ParseDocuments, sameItems } from "@inmesh/core/internal";
import type { Document, Problem } from "@inmesh/model";
import { keyPath, servicePrefix, servicesPrefix } from "../keys.js";
import { serviceKey } from "../service-name.js";
import { BlockingQuery } from "../watch/blocking-query.js";
import type { Watch } from "../watch/watch.js";
import { mayReadKeys } from "./access.js";
import type { InstanceWatchesOptions } from "./instance-watches.js";
import { ListedKeys } from "./listed-keys.js";
import { documentsFor, PolicyReach, type SharedPolicy, sharedPolicy } from "./policy-reach.js";
import { PolicyTree } from "./policy-tree.js";

/** `onChange` says `fewer` when something is gone, and may stand elsewhere now. */
export interface ServicePoliciesOptions extends InstanceWatchesOptions {
  readonly parse: ParseDocuments;
  /** The process's own service. */
  readonly own: ServiceRef;
}

export interface ToldPolicies {
  readonly documents: readonly Document[];
  readonly problems: readonly Problem[];
}

const NOBODY: ReadonlySet<string> = new Set();

export class ServicePolicies {
  readonly #options: ServicePoliciesOptions;
  readonly #list: BlockingQuery;
  readonly #keys: ListedKeys;
  readonly #reach = new PolicyReach();
  readonly #policies = new Map<string, PolicyTree>();
  /** Stays with those that were told once, for as long as they are needed: rules that come later are no reason to wait. */
  readonly #told = new Set<string>();
  #shared: SharedPolicy = sharedPolicy([]);
  #used = NOBODY;
  #followed: readonly (readonly Document[])[] = [];
  #needed = NOBODY;
  #shown: ToldPolicies | undefined;
  /** Calls to these would go by half of their rules, as last told. */
  #untold = NOBODY;
  #looked = false;
  #started = false;

  constructor(options: ServicePoliciesOptions) {
    const { client, clock, random, onSettled } = options;
    this.#options = options;
    this.#keys = new ListedKeys(client.target);
    this.#list = new BlockingQuery({
      ...{ client, clock, random, onSettled },
      path: keyPath(servicesPrefix(client.target)),
      query: { keys: "" },
      onAnswer: async ({ status, body }) => {
        const keys = this.#keys.read(status, body, client.shown);
        const hidden = keys.length === 0 && !this.#looked ? [servicesPrefix(client.target)] : this.#keys.vanished(keys);
        await mayReadKeys(options, hidden);
        this.#looked = true;
        if (!this.#keys.update(keys)) return false;
        this.#change(this.#reconcile());
        return true;
      },
    });
  }

  get watches(): readonly Watch[] {
    return [this.#list, ...Array.from(this.#policies.values(), ({ watch }) => watch)];
  }

  /** Whether rules that are needed are on their way: what is told without them would be half of it. */
  get waiting(): boolean {
    return [...this.#policies.values()].some(({ watch }) => !watch.answered && watch.failure === undefined);
  }

  start(): void {
    this.#started = true;
    for (const watch of this.watches) watch.start();
  }

  /** These services are called, and no others. */
  use(services: ReadonlySet<string>): void {
    this.#used = services;
    this.#change(this.#reconcile());
  }

  /** Policy that everybody reads, and where it leads. @param documents lists that are the same until they change */
  follow(...documents: readonly (readonly Document[])[]): void {
    if (sameItems(documents, this.#followed)) return;
    this.#followed = documents;
    this.#shared = sharedPolicy(documents.flat());
    this.#reconcile();
  }

  /** Whether calls to it would go by all of its rules; undefined where those do not depend on use. */
  rulesOf(service: string): boolean | undefined {
    if ((this.#untold.has(service) || this.#isBlank(service)) && !this.#told.has(service)) return false;
    return this.#keys.has(service) ? true : undefined;
  }

  /** Those whose rules are read, if they have any. */
  get needed(): readonly string[] {
    return [...this.#needed];
  }

  /** Services that are named by rules, if by nothing else; the same list until it changes. */
  get named(): readonly ServiceRef[] {
    return this.#keys.named;
  }

  /** The same object until something changes. */
  get told(): ToldPolicies {
    this.#shown ??= this.#tell();
    return this.#shown;
  }

  #tell(): ToldPolicies {
    const untold = new Set(this.#keys.services.filter((service) => this.#isBlank(service) && !this.#told.has(service)));
    if (untold.size > 0) {
      for (const service of [...this.#shared.byService.keys(), ...this.#policies.keys()]) {
        if (this.#told.has(service)) continue;
        for (const needed of this.#reachOf([service])) if (this.#isBlank(needed)) untold.add(service);
      }
    }
    for (const service of this.#needed) if (!untold.has(service)) this.#told.add(service);
    this.#untold = untold;
    const policies = [...this.#policies.values()];
    return {
      documents: policies.flatMap(({ documents }) => documents),
      problems: [...this.#keys.problems, ...policies.flatMap(({ problems }) => problems)],
    };
  }

  /** It has rules of its own, and they are not here. */
  #isBlank(service: string): boolean {
    return this.#keys.has(service) && this.#policies.get(service)?.watch.answered !== true;
  }

  #reachOf(services: Iterable<string>): ReadonlySet<string> {
    return this.#reach.from(services, (service) => [
      ...documentsFor(this.#shared, service),
      ...(this.#policies.get(service)?.documents ?? []),
    ]);
  }

  /** @returns whether rules are gone with it */
  #reconcile(): boolean {
    const { own } = this.#options;
    this.#needed = this.#reachOf([serviceKey(own), ...this.#used, ...this.#shared.always]);
    for (const service of this.#needed) {
      if (this.#keys.has(service) && !this.#policies.has(service)) this.#open(service);
    }
    let gone = false;
    for (const [service, { watch, documents }] of [...this.#policies]) {
      if (this.#needed.has(service) && this.#keys.has(service)) continue;
      watch.close();
      this.#policies.delete(service);
      if (documents.length > 0) gone = true;
    }
    for (const service of [...this.#told]) if (!this.#needed.has(service)) this.#told.delete(service);
    this.#shown = undefined;
    return gone;
  }

  #open(service: string): void {
    const { onSettled, ...options } = this.#options;
    let answered = false;
    const opened = new PolicyTree({
      ...options,
      prefix: servicePrefix(options.client.target, refOf(service)),
      namedAt: () => this.#list.index,
      onChange: (fewer) => this.#change(this.#reconcile() || fewer), // it may lead to others
      onSettled: () => {
        if (!answered && opened.watch.answered) {
          answered = true;
          this.#change();
        }
        onSettled();
      },
    });
    this.#policies.set(service, opened);
    if (this.#started) opened.watch.start();
  }

  #change(fewer = false): void {
    this.#shown = undefined;
    this.#options.onChange(fewer);
  }
}

/** The reverse of `serviceKey`. */
function refOf(service: string): ServiceRef {
  const slash = service.indexOf("/");
  return { namespace: service.slice(0, slash), service: service.slice(slash + 1) };
}
