/**
 * Ports of a registry. The folder, Consul and a control plane are the same contract at scale;
 * `@inmesh/core/testing` holds the suite that every implementation passes.
 */

import type { Document, Locality, Problem, WorkloadPort } from "@inmesh/model";

/** A running process as it registers itself. Ports empty: it only calls. */
export interface LeaseSpec {
  readonly namespace: string;
  readonly service: string;
  /** Unique per process (and per cluster worker): DNS label. */
  readonly instance: string;
  readonly address: string;
  /** In order of listening. */
  readonly ports: readonly WorkloadPort[];
  readonly labels: Readonly<Record<string, string>>;
  readonly locality?: Locality;
  readonly serviceAccount?: string;
  readonly pid: number;
  /** `http://127.0.0.1:port` of the admin endpoint; absent when switched off. */
  readonly admin?: string;
  /** A reader drops the lease after this many ms without a change, by its own monotonic clock. */
  readonly ttlMs: number;
  readonly inmeshVersion: string;
  /** Version of the policy schema this process reads. */
  readonly schemaVersion: number;
}

/** What a reader sees. Unchanged leases keep their object; `sequence` alone changing makes no new one. */
export interface Lease extends LeaseSpec {
  /** `<namespace>.<service>.<instance>`. */
  readonly name: string;
}

/**
 * Everything a registry says at one moment. Level-triggered: a listener gets the whole, and finds what changed by
 * identity, since documents and leases that did not change are the same objects as in the view before.
 */
export interface RegistryView {
  /**
   * Every document that could be parsed, of known kinds, and of the same key at most once.
   * A file that is no YAML at the moment keeps contributing the documents it last held.
   */
  readonly documents: readonly Document[];
  readonly leases: readonly Lease[];
  /** What could not be parsed, or was there twice. */
  readonly problems: readonly Problem[];
}

export interface SourceStatus {
  /** `connecting` until the first view. `stale`: the registry is away and the last view stands. */
  readonly state: "connecting" | "fresh" | "stale";
  /** Clock ms since when the state holds. */
  readonly since: number;
  /** Why it is stale, in one sentence. */
  readonly reason?: string;
}

export interface Source {
  /**
   * Starts watching and calls `listener` with the first view and after every change, never concurrently.
   * @throws nothing: a registry that is away is a status, not an error.
   */
  watch(listener: (view: RegistryView) => void): void;
  readonly status: SourceStatus;
  close(): Promise<void>;
}

export interface Registrar {
  /** Writes the lease and renews it until `remove`. A failing write is retried and reported once, never thrown later. */
  register(lease: LeaseSpec): Promise<LeaseHandle>;
}

export interface LeaseHandle {
  /** Ports, labels or admin address changed. */
  update(change: Partial<LeaseSpec>): Promise<void>;
  /** Deregisters; idempotent. */
  remove(): Promise<void>;
}

export interface ApplyResult {
  readonly key: string;
  readonly outcome: "created" | "configured" | "unchanged" | "deleted";
  /** File or key it was written to. */
  readonly where: string;
}

/** Write side of policy. Documents are validated by the caller; a store only keeps them. */
export interface Store {
  list(): Promise<readonly Document[]>;
  apply(documents: readonly Document[]): Promise<readonly ApplyResult[]>;
  /** Keys `Kind/namespace/name`; unknown ones are left out of the result. */
  delete(keys: readonly string[]): Promise<readonly ApplyResult[]>;
}
