/**
 * Consul's own config entries. A kind that has any is held, so that a change of weights is seen at once. Most clusters have
 * none of most kinds, and a held question is a connection of which an agent takes few: for all of these together one small
 * list is looked at every few seconds, whose index is that of every kind.
 */

import type { Clock, Random } from "@inmesh/core";
import { type ConsulClient, path } from "../client/consul-client.js";
import { ConsulError } from "../client/consul-error.js";
import { CONFIG_ENTRY_KINDS } from "../config-entry/index.js";
import { record, textOf } from "../registrar/read.js";
import { BlockingQuery, nextIndex } from "../watch/blocking-query.js";
import { Poll } from "../watch/poll.js";
import type { Watch } from "../watch/watch.js";
import { mayRead, type Readable } from "./access.js";
import { type ServerFacts, serverFacts } from "./server-facts.js";

export interface EntryWatchesOptions {
  readonly client: ConsulClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly onChange: () => void;
  readonly onSettled: () => void;
}

const KINDS = Object.keys(CONFIG_ENTRY_KINDS);
const INTENTIONS = "service-intentions";
/** Intentions by themselves, of servers from before 1.9. */
const OLD_INTENTIONS = "";
/** Entries of the whole cluster: anybody may read them. */
const ANYBODYS: ReadonlySet<string> = new Set(["proxy-defaults", "mesh"]);

export class EntryWatches {
  readonly #options: EntryWatchesOptions;
  readonly #lists = new Map<string, { readonly content: string; readonly values: readonly unknown[] }>();
  readonly #kinds: readonly BlockingQuery[];
  readonly #watches: Watch[];
  /** Of all kinds together, when it was last looked at. */
  #index: bigint | undefined;
  #facts: ServerFacts = { datacenter: "", intentionDefault: "deny" };
  #asking: Promise<ServerFacts> | undefined;

  constructor(options: EntryWatchesOptions) {
    this.#options = options;
    this.#kinds = KINDS.map((kind) => this.#watch(kind));
    const { client, clock, random, onSettled } = options;
    const index = new Poll({
      ...{ client, clock, random, onSettled },
      path: "/config/proxy-defaults",
      onAnswer: (answer) => this.#look(nextIndex(answer)),
    });
    this.#watches = [...this.#kinds, index];
  }

  get watches(): readonly Watch[] {
    return this.#watches;
  }

  get facts(): ServerFacts {
    return this.#facts;
  }

  /** Of every kind, as Consul lists them. */
  get entries(): readonly unknown[] {
    return KINDS.flatMap((kind) => this.#lists.get(kind)?.values ?? []);
  }

  /** As `/v1/connect/intentions` lists them; empty where they are config entries. */
  get intentions(): readonly unknown[] {
    return this.#lists.get(OLD_INTENTIONS)?.values ?? [];
  }

  #watch(kind: string): BlockingQuery {
    const { client, clock, random, onSettled } = this.#options;
    return new BlockingQuery({
      ...{ client, clock, random, onSettled },
      path: path`/config/${kind}`,
      onAnswer: ({ body }) => this.#take(kind, body),
      holds: () => (this.#lists.get(kind)?.values.length ?? 0) > 0,
      endsWith: (failure) => {
        const unknown = isUnknown(failure);
        if (unknown && kind === INTENTIONS) this.#pollOldIntentions();
        return unknown;
      },
    });
  }

  /** Lists are asked for again when any entry changed, whatever its kind: those with entries are held anyway. */
  #look(index: bigint | undefined): boolean {
    if (index === this.#index) return false;
    this.#index = index;
    for (const kind of this.#kinds) if (kind.resting && kind.index !== index) kind.renew(0);
    return true;
  }

  #pollOldIntentions(): void {
    if (this.#watches.length > KINDS.length + 1) return;
    const { client, clock, random, onSettled } = this.#options;
    const poll = new Poll({
      ...{ client, clock, random, onSettled },
      path: "/connect/intentions",
      onAnswer: ({ status, body }) => this.#take(OLD_INTENTIONS, status === 404 ? [] : body),
    });
    this.#watches.push(poll);
    poll.start();
  }

  async #take(kind: string, body: unknown): Promise<boolean> {
    const { client, onChange } = this.#options;
    if (!Array.isArray(body))
      throw new ConsulError(
        "garbled",
        `${client.shown} answered a question for a list of ${kind || "intentions"} with something else`,
      );
    const content = JSON.stringify(body);
    const before = this.#lists.get(kind);
    if (content === (before?.content ?? "[]")) return false;
    await mayRead(this.#options, vanished(kind, before?.values ?? [], body));
    if (before === undefined) await this.#learnFacts();
    this.#lists.set(kind, { content, values: body });
    onChange();
    return true;
  }

  async #learnFacts(): Promise<void> {
    this.#asking ??= serverFacts(this.#options);
    try {
      this.#facts = await this.#asking;
    } catch (error) {
      this.#asking = undefined;
      throw error;
    }
  }
}

/** A kind that is newer than the server, or Connect is off. */
function isUnknown({ status, message }: ConsulError): boolean {
  return (
    status === 404 ||
    ((status === 400 || status === 500) && /invalid config entry kind|connect must be enabled/i.test(message))
  );
}

function vanished(kind: string, before: readonly unknown[], now: readonly unknown[]): readonly Readable[] {
  if (ANYBODYS.has(kind)) return [];
  const present = new Set(now.map(nameOf));
  const resource = kind === OLD_INTENTIONS || kind === INTENTIONS ? "intention" : "service";
  return before
    .map(nameOf)
    .filter((name) => !present.has(name))
    .map((segment) => ({ resource, segment }));
}

function nameOf(entry: unknown): string {
  const { Name, DestinationName } = record(entry);
  return textOf(Name) || textOf(DestinationName);
}
