/**
 * Ports of a registry. The folder, Consul and a control plane are the same contract at scale;
 * `@inmesh/core/testing` holds the suite that every implementation passes.
 */

import type { Document, KnownService, Locality, Problem, ServiceRef, Workload, WorkloadPort } from "@inmesh/model";

export type { KnownService, ServiceRef } from "@inmesh/model";

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
  /** SPIFFE id it says it has; empty: none. For display: nobody is believed because of it. @default unknown */
  readonly identity?: string;
  /** Share of calls among its kind, 1 to 65535. @default 1 */
  readonly weight?: number;
  /** Words by which tools around the registry choose; the mesh itself does not. @default none */
  readonly tags?: readonly string[];
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
  /** False: the registry's own checks say that it must not be called. @default true */
  readonly healthy?: boolean;
  /** The process said that it is about to remove it. @default false */
  readonly leaving?: boolean;
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
  /** Instances that others registered: they can be called, and are no processes of the mesh. @default none */
  readonly workloads?: readonly Workload[];
  /**
   * Services that exist whether or not instances of them are in the view: of a registry that tells instances only of
   * services in use, every one there is; else those that had some a while ago. Each object is the same as before
   * unless it changed. Absent: leases and workloads say it all.
   */
  readonly services?: readonly KnownService[];
  /** What could not be parsed, or was there twice. */
  readonly problems: readonly Problem[];
}

/** Instances of one service that the registry lost all at once, and that are used for a while longer. */
export interface HeldInstances extends ServiceRef {
  /** Their names. */
  readonly instances: readonly string[];
  /** How many instances of the service there were before. */
  readonly of: number;
  /** Clock ms. */
  readonly since: number;
  /** Clock ms at which the registry is obeyed. */
  readonly until: number;
}

export interface SourceStatus {
  /** `connecting` until the first view. `stale`: the registry is away and the last view stands. */
  readonly state: "connecting" | "fresh" | "stale";
  /** Clock ms since when the state holds. */
  readonly since: number;
  /** Why it is stale, in one sentence. */
  readonly reason?: string;
  /** How far behind the server that answers may be, in ms, where it says so: it has not heard of its leader for that long. */
  readonly lagMs?: number;
  /** What is held back against the registry's word. @default nothing */
  readonly held?: readonly HeldInstances[];
  /**
   * Services, by `namespace/service`, whose own policy this process reads, or would if they had any. Absent: of a registry
   * that tells all policy to everybody.
   */
  readonly policyOf?: readonly string[];
}

export interface Source {
  /**
   * Starts watching and calls `listener` with the first view and after every change, never concurrently.
   * @throws nothing: a registry that is away is a status, not an error.
   */
  watch(listener: (view: RegistryView) => void): void;
  readonly status: SourceStatus;
  /**
   * This process calls the service, or is about to: its instances are wanted in the view from now on. Idempotent and
   * cheap; called again now and then while the service is in use, and a source may stop telling of one that is not.
   * Absent where everything is told anyway.
   */
  use?(service: ServiceRef): void;
  close(): Promise<void>;
}

export interface Registrar {
  /** Writes the lease and renews it until `remove`. A failing write is retried and reported once, never thrown later. */
  register(lease: LeaseSpec): Promise<LeaseHandle>;
}

export interface LeaseHandle {
  /** Tries to write or renew it that failed, so far. @default 0 where nothing can fail */
  readonly failures?: number;
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

/** Who changes policy and why; goes into the history. */
export interface ChangeNote {
  readonly who: string;
  readonly reason?: string;
}

/** One change of one document, as the history keeps it. */
export interface Revision {
  /** Names it among the revisions of its document: `rollback` takes it. */
  readonly id: string;
  readonly key: string;
  /** Wall time, ms since 1970. */
  readonly at: number;
  readonly who: string;
  readonly reason?: string;
  readonly outcome: "created" | "configured" | "deleted";
  /** YAML or JSON of the document before and after the change; absent where it did not exist. */
  readonly before?: string;
  readonly after?: string;
  /** The texts were too large to be kept. @default false */
  readonly omitted?: boolean;
}

/** Write side of policy. Documents are validated by the caller; a store only keeps them. */
export interface Store {
  list(): Promise<readonly Document[]>;
  apply(documents: readonly Document[], note?: ChangeNote): Promise<readonly ApplyResult[]>;
  /** Keys `Kind/namespace/name`; unknown ones are left out of the result. */
  delete(keys: readonly string[], note?: ChangeNote): Promise<readonly ApplyResult[]>;
  /** Changes of one document, the newest first. Absent where none are kept. */
  history?(key: string): Promise<readonly Revision[]>;
}
