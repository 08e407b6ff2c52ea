/** A registry inside the process: for tests, and for a mesh whose configuration is given as documents. */

import type { Document } from "@inmesh/model";
import { type Clock, systemClock } from "../runtime/clock.js";
import { LazySource } from "./lazy-source.js";
import { leaseName } from "./lease-name.js";
import type {
  ApplyResult,
  Lease,
  LeaseHandle,
  LeaseSpec,
  Registrar,
  RegistryView,
  ServiceRef,
  Source,
  SourceStatus,
  Store,
} from "./source.js";
import { uniqueDocuments } from "./unique.js";

export interface MemoryRegistryOptions {
  readonly documents?: readonly Document[];
  readonly clock?: Clock;
  /**
   * Instances are told only of services in use, as a registry of many thousand does it, so many ms after the first use.
   * @default everything is told
   */
  readonly lazy?: boolean | { readonly tellAfterMs: number };
}

/** Leases end with `remove` alone, since nobody here dies without the others. Several meshes of a process may share one. */
export class MemoryRegistry implements Source, Store, Registrar {
  readonly #clock: Clock;
  readonly #readers = new Set<Reader>();
  readonly #lazy: MemoryRegistryOptions["lazy"];
  readonly #own: Source;
  readonly use?: (service: ServiceRef) => void;
  readonly #leases = new Map<string, Lease>();
  #documents: ReturnType<typeof uniqueDocuments>;
  #announcing = false;

  constructor({ documents = [], clock = systemClock, lazy = false }: MemoryRegistryOptions = {}) {
    this.#clock = clock;
    this.#lazy = lazy;
    this.#documents = uniqueDocuments(documents);
    const own = this.openSource();
    this.#own = own;
    if (own.use !== undefined) this.use = (service) => own.use?.(service);
  }

  /** A reader that can be closed by itself, for each further mesh. */
  openSource(): Source {
    const reader = new Reader(
      this.#clock,
      () => this.#view(),
      (open) => void (open ? this.#readers.add(reader) : this.#readers.delete(reader)),
    );
    if (!this.#lazy) return reader;
    const { tellAfterMs = 0 } = this.#lazy === true ? {} : this.#lazy;
    return new LazySource({ source: reader, clock: this.#clock, tellAfterMs });
  }

  get status(): SourceStatus {
    return this.#own.status;
  }

  watch(listener: (view: RegistryView) => void): void {
    this.#own.watch(listener);
  }

  async list(): Promise<readonly Document[]> {
    return this.#documents.documents;
  }

  async apply(documents: readonly Document[]): Promise<readonly ApplyResult[]> {
    const stored = new Map(this.#documents.documents.map((document) => [document.key, document]));
    const results = documents.map((document): ApplyResult => {
      const before = stored.get(document.key);
      if (before?.hash === document.hash) return { key: document.key, outcome: "unchanged", where: "memory" };
      stored.set(document.key, document);
      return { key: document.key, outcome: before === undefined ? "created" : "configured", where: "memory" };
    });
    this.#store([...stored.values()], results);
    return results;
  }

  async delete(keys: readonly string[]): Promise<readonly ApplyResult[]> {
    const stored = new Map(this.#documents.documents.map((document) => [document.key, document]));
    const results = keys.flatMap((key): ApplyResult[] =>
      stored.delete(key) ? [{ key, outcome: "deleted", where: "memory" }] : [],
    );
    this.#store([...stored.values()], results);
    return results;
  }

  /** @throws {MeshError} CONFIG_INVALID when a part of the lease's name is no DNS label */
  async register(spec: LeaseSpec): Promise<LeaseHandle> {
    const name = leaseName(spec);
    let lease: Lease = { ...spec, name };
    const put = (): void => {
      this.#leases.set(name, lease);
      this.#announce();
    };
    put();
    return {
      update: async (change) => {
        const { namespace, service, instance } = lease;
        lease = { ...lease, ...change, namespace, service, instance };
        if (this.#leases.has(name)) put();
      },
      remove: async () => {
        if (this.#leases.get(name) === lease && this.#leases.delete(name)) this.#announce();
      },
    };
  }

  /** Ends its own reader; those of `openSource` go on. */
  close(): Promise<void> {
    return this.#own.close();
  }

  #store(documents: readonly Document[], results: readonly ApplyResult[]): void {
    if (results.every(({ outcome }) => outcome === "unchanged")) return;
    this.#documents = uniqueDocuments(documents);
    this.#announce();
  }

  #view(): RegistryView {
    const leases = [...this.#leases.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    return { ...this.#documents, leases };
  }

  /** In a turn of its own, so that a listener which changes the registry is not called inside itself. */
  #announce(): void {
    if (this.#announcing) return;
    this.#announcing = true;
    queueMicrotask(() => {
      this.#announcing = false;
      const view = this.#view();
      for (const reader of [...this.#readers]) reader.show(view);
    });
  }
}

class Reader implements Source {
  readonly #clock: Clock;
  readonly #read: () => RegistryView;
  readonly #onOpen: (open: boolean) => void;
  readonly #listeners: ((view: RegistryView) => void)[] = [];
  #status: SourceStatus;

  constructor(clock: Clock, read: () => RegistryView, onOpen: (open: boolean) => void) {
    this.#clock = clock;
    this.#read = read;
    this.#onOpen = onOpen;
    this.#status = { state: "connecting", since: clock.now() };
  }

  get status(): SourceStatus {
    return this.#status;
  }

  watch(listener: (view: RegistryView) => void): void {
    if (this.#status.state === "connecting") this.#status = { state: "fresh", since: this.#clock.now() };
    this.#listeners.push(listener);
    this.#onOpen(true);
    listener(this.#read());
  }

  show(view: RegistryView): void {
    for (const listener of this.#listeners) listener(view);
  }

  async close(): Promise<void> {
    this.#listeners.length = 0;
    this.#onOpen(false);
  }
}
