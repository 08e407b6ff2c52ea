/** Snapshots of what is told, with what listeners say of the process's own servers and of telemetry, each made once while it is the same. */

import type { SnapshotStore } from "@inmesh/core";
import { sameItems } from "@inmesh/core/internal";
import type { ClientContext, TelemetryPolicy } from "@inmesh/model";
import { type EnvoySnapshot, envoySnapshot } from "./envoy-snapshot.js";
import type { DiscoveredListener } from "./listener.js";
import { ListenerIndex } from "./listener-index.js";
import type { EnvoyResources } from "./resources.js";
import { type ServerWords, serverWords } from "./server-security.js";
import { ServiceBook } from "./service-book.js";
import { telemetryPolicy } from "./telemetry.js";

export interface SnapshotMakerOptions {
  readonly profile: "envoy" | "grpc";
  readonly context: ClientContext;
  readonly store: SnapshotStore;
  readonly trustDomain: string | undefined;
  /** Why requests to this process are denied where no listener speaks; empty: they are not. */
  readonly whyClosed: () => string;
}

export class SnapshotMaker {
  readonly #options: SnapshotMakerOptions;
  #words:
    | { readonly inbound: readonly DiscoveredListener[]; readonly refusal: string; readonly words: ServerWords }
    | undefined;
  #telemetry: { readonly listeners: EnvoyResources["listeners"]; readonly policy: TelemetryPolicy } | undefined;
  #index: { readonly of: EnvoyResources["listeners"]; readonly index: ListenerIndex } | undefined;
  #book: { readonly of: EnvoyResources["clusters"]; readonly book: ServiceBook } | undefined;

  constructor(options: SnapshotMakerOptions) {
    this.#options = options;
  }

  make(resources: EnvoyResources, version: number): EnvoySnapshot {
    const { profile, context, store, trustDomain } = this.#options;
    const words = this.#serverWords(resources);
    const telemetry = this.#telemetryOf(resources);
    const input = {
      profile,
      resources,
      client: context,
      version,
      ...words,
      telemetry,
      index: this.#indexOf(resources),
      book: this.#bookOf(resources),
      ...(trustDomain && { trustDomain }),
    };
    return envoySnapshot(input, store.current);
  }

  #indexOf({ listeners }: EnvoyResources): ListenerIndex {
    if (this.#index?.of !== listeners) this.#index = { of: listeners, index: new ListenerIndex(listeners.values()) };
    return this.#index.index;
  }

  /** Its services stay the same objects while nothing about them changed. */
  #bookOf({ clusters }: EnvoyResources): ServiceBook {
    if (this.#book?.of !== clusters) this.#book = { of: clusters, book: new ServiceBook(clusters, this.#book?.book) };
    return this.#book.book;
  }

  /** The same object while the listeners are the same. */
  #telemetryOf({ listeners }: EnvoyResources): TelemetryPolicy {
    if (this.#telemetry?.listeners !== listeners) {
      const policy = telemetryPolicy(listeners.values());
      const before = this.#telemetry?.policy;
      const isSame = JSON.stringify(policy) === JSON.stringify(before);
      this.#telemetry = { listeners, policy: isSame && before !== undefined ? before : policy };
    }
    return this.#telemetry.policy;
  }

  /** About the process's own servers; the same object while the listeners for them are the same. */
  #serverWords({ listeners }: EnvoyResources): ServerWords {
    const inbound = [...listeners.values()].filter(({ kind }) => kind === "inbound");
    const refusal = this.#options.whyClosed();
    const before = this.#words;
    if (before?.refusal === refusal && sameItems(before.inbound, inbound)) return before.words;
    const words = serverWords(inbound, refusal, this.#options.trustDomain ?? "cluster.local");
    this.#words = { inbound, refusal, words };
    return words;
  }
}
