/** Everything a control plane tells of some types, and of the names that those lead to. */

import type { Watch, XdsClient, XdsProfile } from "@inmesh/xds/client";
import { CLUSTERS, ENDPOINTS, ENVOY_URLS, envoyType, LISTENERS, ROUTES, type Told, type XdsType } from "./kinds.js";
import { namesIn } from "./names.js";

export interface FeedOptions {
  readonly types: readonly XdsType[];
  /** `grpc`: clusters are asked for by the names that routes give, since nobody tells them all. */
  readonly profile: XdsProfile;
  /** Of the first type only these, with what they lead to. Empty: all there are. */
  readonly names: readonly string[];
  readonly onChange: (change: FeedChange) => void;
  /** After each answer. */
  readonly onTold: () => void;
}

export interface FeedChange {
  readonly type: XdsType;
  readonly name: string;
  readonly before: Told | undefined;
  /** Undefined: it is gone. */
  readonly after: Told | undefined;
}

interface Channel {
  readonly type: XdsType;
  readonly shown: boolean;
  /** Type whose resources name these; undefined: names are as they were given. */
  readonly from: string | undefined;
  names: ReadonlySet<string> | "*";
  watch: Watch | undefined;
  answered: boolean;
  readonly values: Map<string, Told>;
  readonly missing: Set<string>;
}

export class Feed {
  readonly #channels: readonly Channel[];
  readonly #options: FeedOptions;

  constructor(client: XdsClient, options: FeedOptions) {
    this.#options = options;
    this.#channels = plan(options);
    for (const channel of this.#channels) {
      channel.watch = client.watch(channel.type, {
        names: channel.names === "*" ? "*" : [...channel.names],
        onChanges: ({ changed, removed }) => {
          channel.answered = true;
          for (const [name, told] of changed) this.#set(channel, name, told);
          for (const name of removed) this.#set(channel, name, undefined);
          this.#follow();
          options.onTold();
        },
      });
    }
  }

  /** Types that something is not known of yet, with those of its names where they are known. */
  unanswered(): readonly string[] {
    return this.#channels.flatMap(({ type, names, answered, values, missing }) => {
      if (names === "*") return answered ? [] : [type.url];
      return [...names].filter((name) => !values.has(name) && !missing.has(name)).map((name) => `${type.url} ${name}`);
    });
  }

  /** Whether anything has been said of the type, if only that there is nothing. */
  answered(url: string): boolean {
    return this.#channels.some((channel) => channel.type.url === url && channel.answered);
  }

  /** Names that were asked for and that the control plane has nothing of. */
  missing(): readonly string[] {
    return this.#channels.flatMap(({ type, names, missing }) =>
      names === "*" ? [] : [...missing].map((name) => `${type.url} ${name}`),
    );
  }

  /** In the order of the types, by name. */
  shown(): readonly (Told & { readonly type: XdsType; readonly name: string })[] {
    return this.#channels
      .filter(({ shown }) => shown)
      .flatMap(({ type, values }) =>
        [...values].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, told]) => ({ type, name, ...told })),
      );
  }

  #set(channel: Channel, name: string, after: Told | undefined): void {
    const before = channel.values.get(name);
    if (after === undefined) {
      channel.values.delete(name);
      if (channel.names !== "*") channel.missing.add(name);
    } else {
      const { names } = this.#options;
      // istiod tells every one of Istio's kinds, whatever names were asked for.
      if (channel.type.url.includes("/") && names.length > 0 && !names.some((each) => isNamed(name, each))) return;
      channel.values.set(name, after);
      channel.missing.delete(name);
    }
    if (channel.shown && (before ?? after) !== undefined)
      this.#options.onChange({ type: channel.type, name, before, after });
  }

  #follow(): void {
    for (const channel of this.#channels) {
      const { from, names: before, watch } = channel;
      const source = this.#channels.find(({ type }) => type.url === from);
      if (source === undefined || before === "*") continue;
      const documents = [...source.values.values()].flatMap(({ documents: of }) => of);
      const names = new Set(documents.flatMap((document) => namesIn(channel.type.url, document)));
      const gone = [...before].filter((name) => !names.has(name));
      channel.names = names;
      watch?.remove(gone);
      for (const name of gone) {
        this.#set(channel, name, undefined);
        channel.missing.delete(name);
      }
      watch?.add([...names].filter((name) => !before.has(name)));
    }
  }
}

function isNamed(name: string, wanted: string): boolean {
  return name === wanted || name.slice(name.indexOf("/") + 1) === wanted;
}

/** The types in the order in which they name each other, with those that nobody wants to see and that name what is wanted. */
function plan({ types, names, profile }: FeedOptions): readonly Channel[] {
  const at = (type: XdsType) => ENVOY_URLS.indexOf(type.url);
  const wanted = [...types].sort((a, b) => at(a) - at(b));
  const first = wanted[0]?.url;
  const has = (url: string) => wanted.some((type) => type.url === url);
  const channels = wanted.map((type): Channel => {
    if (type.url.includes("/")) return channel(type, "*");
    const given = names.length > 0;
    if (given && type.url === first) return channel(type, new Set(names));
    if (type.url === ROUTES) return channel(type, new Set(), LISTENERS);
    if (type.url === CLUSTERS && has(ROUTES) && (given || profile === "grpc")) return channel(type, new Set(), ROUTES);
    if (type.url === ENDPOINTS) return channel(type, new Set(), CLUSTERS);
    return channel(type, "*");
  });
  const hidden = channels.flatMap(({ from }) => (from === undefined || has(from) ? [] : [from]));
  return [...hidden.map((url) => ({ ...channel(envoyType(url), "*" as const), shown: false })), ...channels];
}

function channel(type: XdsType, names: ReadonlySet<string> | "*", from?: string): Channel {
  const nothing = { watch: undefined, answered: false, values: new Map<string, Told>(), missing: new Set<string>() };
  return { type, names, from, shown: true, ...nothing };
}
