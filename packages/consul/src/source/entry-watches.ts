/** Consul's own config entries, one watch for each kind that the server knows. */

import type { Clock, Random } from "@inmesh/core";
import { type ConsulClient, path } from "../client/consul-client.js";
import { ConsulError } from "../client/consul-error.js";
import { record, textOf } from "../registrar/read.js";
import { BlockingQuery } from "../watch/blocking-query.js";
import type { Watch } from "../watch/watch.js";
import { mayRead, type Readable } from "./access.js";

export interface EntryWatchesOptions {
  readonly client: ConsulClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly kinds: readonly string[];
  readonly onChange: () => void;
  readonly onSettled: () => void;
}

/** Servers from before 1.9 have them by themselves. */
const INTENTIONS = "service-intentions";
/** Entries of the whole cluster. */
const OPERATORS: ReadonlySet<string> = new Set(["proxy-defaults", "mesh"]);

export class EntryWatches {
  readonly #options: EntryWatchesOptions;
  readonly #entries = new Map<string, { readonly content: string; readonly values: readonly unknown[] }>();
  readonly #watches: Watch[] = [];

  constructor(options: EntryWatchesOptions) {
    this.#options = options;
    for (const kind of options.kinds)
      this.#add(kind, path`/config/${kind}`, () => {
        if (kind === INTENTIONS) this.#addOldIntentions();
      });
  }

  get watches(): readonly Watch[] {
    return this.#watches;
  }

  /** Of every kind, as Consul lists them. */
  get entries(): readonly unknown[] {
    return this.#options.kinds.flatMap((kind) => this.#entries.get(kind)?.values ?? []);
  }

  /** As `/v1/connect/intentions` lists them; empty where they are config entries. */
  get intentions(): readonly unknown[] {
    return this.#entries.get("")?.values ?? [];
  }

  #addOldIntentions(): void {
    if (this.#watches.length > this.#options.kinds.length) return;
    this.#add("", "/connect/intentions", () => {}).start();
  }

  #add(kind: string, at: string, onUnknown: () => void): Watch {
    const { client, clock, random, onChange, onSettled } = this.#options;
    const watch = new BlockingQuery({
      ...{ client, clock, random, path: at, onSettled },
      onAnswer: async ({ body }) => {
        const values = body === null ? [] : body; // what Go makes of an empty list
        if (!Array.isArray(values))
          throw new ConsulError(
            "garbled",
            `${client.shown} answered a question for a list of ${kind || "intentions"} with something else`,
          );
        const content = JSON.stringify(values);
        if (content === this.#entries.get(kind)?.content) return false;
        await mayRead({ client, clock }, this.#vanished(kind, values));
        this.#entries.set(kind, { content, values });
        onChange();
        return true;
      },
      endsWith: ({ status, message }) => {
        // A kind that is newer than the server, or Connect is off.
        const unknown =
          status === 404 || ((status === 400 || status === 500) && /invalid config entry kind/i.test(message));
        if (unknown) onUnknown();
        return unknown;
      },
    });
    this.#watches.push(watch);
    return watch;
  }

  #vanished(kind: string, values: readonly unknown[]): readonly Readable[] {
    const present = new Set(values.map(nameOf));
    const gone = (this.#entries.get(kind)?.values ?? []).map(nameOf).filter((name) => !present.has(name));
    if (OPERATORS.has(kind)) return []; // anybody may read them
    return gone.map((segment) => ({ resource: kind === "" || kind === INTENTIONS ? "intention" : "service", segment }));
  }
}

function nameOf(entry: unknown): string {
  const { Name, DestinationName } = record(entry);
  return textOf(Name) || textOf(DestinationName);
}
