/**
 * The embedded registry: a folder of policy files written by people, and below it `.workloads/` with one lease per
 * process. Several processes on one machine form a mesh with no server at all.
 */

import { dirname, join, resolve } from "node:path";
import type { Document, Problem } from "@inmesh/model";
import { type Clock, systemClock } from "../runtime/clock.js";
import { atProcess } from "../runtime/process-moments.js";
import { type Random, systemRandom } from "../runtime/random.js";
import { createHost, type Host } from "../snapshot/host.js";
import type {
  ApplyResult,
  ChangeNote,
  LeaseHandle,
  LeaseSpec,
  Registrar,
  RegistryView,
  Revision,
  Source,
  SourceStatus,
  Store,
} from "../snapshot/source.js";
import type { ParseDocuments } from "../snapshot/succeeding-documents.js";
import { type FileSystem, nodeFiles } from "./files.js";
import { FolderStore } from "./folder-store.js";
import { LeaseTable } from "./lease-table.js";
import { LeaseWatch } from "./lease-watch.js";
import { PolicyFiles } from "./policy-files.js";
import { isPolicyFile } from "./policy-tree.js";
import { LEASES, PolicyWatch } from "./policy-watch.js";
import { FolderRegistrar } from "./registrar.js";

/** Of documents that name none: the same for every reader, or a file would mean different things to different processes. */
const DEFAULT_NAMESPACE = "default";

export interface FolderRegistryOptions {
  /** A folder, or a single policy file, whose folder then holds the leases. */
  readonly path: string;
  readonly parse: ParseDocuments;
  /** Told once per trouble with the lease of this process, and of a change that is not in the history. */
  readonly onWarning?: (warning: Problem) => void;
  /** Calls `fn` at the end of the process, until the function returned is called. @default that of the process */
  readonly onExit?: (fn: () => void) => () => void;
  /** Between two looks for what the system's watch did not tell, in ms. @default 1_000, and 400 while it tells nothing */
  readonly rescanMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly files?: FileSystem;
  readonly host?: Host;
}

export class FolderRegistry implements Source, Store, Registrar {
  /** Absolute. */
  readonly path: string;
  readonly #clock: Clock;
  readonly #policy: PolicyFiles;
  readonly #table: LeaseTable;
  readonly #policyWatch: PolicyWatch;
  readonly #leaseWatch: LeaseWatch;
  readonly #registrar: FolderRegistrar;
  readonly #store: FolderStore;
  readonly #onExit: (fn: () => void) => () => void;
  readonly #listeners: ((view: RegistryView) => void)[] = [];
  #forgetExit: (() => void) | undefined;
  #status: SourceStatus;
  #view: RegistryView | undefined;
  #leaseProblems: readonly Problem[] = [];
  /** Undefined until the first look; then why the last one failed, or "". */
  #policyFailure: string | undefined;
  #leaseFailure: string | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: FolderRegistryOptions) {
    const { clock = systemClock, random = systemRandom, files = nodeFiles, host = createHost() } = options;
    const { parse, onWarning = () => {}, onExit = (fn) => atProcess("exit", fn), rescanMs = 1_000 } = options;
    this.path = resolve(options.path);
    this.#clock = clock;
    this.#onExit = onExit;
    this.#status = { state: "connecting", since: clock.now() };
    this.#policy = new PolicyFiles(parse, DEFAULT_NAMESPACE);
    this.#table = new LeaseTable({ clock, random, host, parse });
    const directory = join(isPolicyFile(this.path) ? dirname(this.path) : this.path, LEASES);
    this.#registrar = new FolderRegistrar({ directory, files, clock, random, host, onWarning });
    this.#store = new FolderStore({
      ...{ root: this.path, files, clock, random, host, parse, onWarning },
      namespace: DEFAULT_NAMESPACE,
    });
    this.#policyWatch = new PolicyWatch({
      root: this.path,
      files,
      clock,
      policy: this.#policy,
      rescanMs,
      onLeaseFolder: () => this.#leaseWatch.lookSoon(),
      onLook: ({ changed, failure }) => {
        this.#policyFailure = failure ?? "";
        this.#show(changed);
      },
    });
    this.#leaseWatch = new LeaseWatch({
      directory,
      files,
      clock,
      table: this.#table,
      onLook: (failure) => {
        this.#leaseFailure = failure ?? "";
        this.#show(this.#view?.leases !== this.#table.leases || this.#leaseProblems !== this.#table.problems);
      },
      onListed: (present) => this.#registrar.check(present),
    });
  }

  get status(): SourceStatus {
    return this.#status;
  }

  /** Why the lease of this process cannot be written at the moment, or undefined. */
  get registrarProblem(): Problem | undefined {
    return this.#registrar.problem;
  }

  watch(listener: (view: RegistryView) => void): void {
    this.#listeners.push(listener);
    if (this.#listeners.length > 1) {
      if (this.#view !== undefined) listener(this.#view);
      return;
    }
    this.#policyWatch.start();
    this.#leaseWatch.start();
  }

  /** @throws {MeshError} CONFIG_INVALID when a part of the lease's name is no DNS label */
  async register(lease: LeaseSpec): Promise<LeaseHandle> {
    this.#forgetExit ??= this.#onExit(() => this.#registrar.removeAllSync());
    return this.#registrar.register(lease);
  }

  list(): Promise<readonly Document[]> {
    return this.#store.list();
  }

  apply(documents: readonly Document[], note?: ChangeNote): Promise<readonly ApplyResult[]> {
    return this.#store.apply(documents, note);
  }

  delete(keys: readonly string[], note?: ChangeNote): Promise<readonly ApplyResult[]> {
    return this.#store.delete(keys, note);
  }

  history(key: string): Promise<readonly Revision[]> {
    return this.#store.history(key);
  }

  /** Removes the leases of this process and stops watching; idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#listeners.length = 0;
    await Promise.all([this.#registrar.close(), this.#policyWatch.close(), this.#leaseWatch.close()]);
    this.#forgetExit?.();
  }

  #show(changed: boolean): void {
    const failure = this.#policyFailure || this.#leaseFailure;
    const looked = this.#policyFailure !== undefined && this.#leaseFailure !== undefined;
    if (failure) this.#setStatus("stale", failure);
    else if (looked) this.#setStatus("fresh");
    // The first view waits for both halves; after that each half that can be read is shown.
    const first = this.#view === undefined;
    if (first ? !looked || failure : !changed) return;
    const { documents, problems } = this.#policy.result;
    this.#leaseProblems = this.#table.problems;
    this.#view = {
      documents,
      leases: this.#table.leases,
      problems: [...this.#policyWatch.problems, ...problems, ...this.#leaseProblems],
    };
    for (const listener of this.#listeners) listener(this.#view);
  }

  #setStatus(state: SourceStatus["state"], reason?: string): void {
    if (this.#status.state === state && this.#status.reason === reason) return;
    this.#status = { state, since: this.#clock.now(), ...(reason !== undefined && { reason }) };
  }
}
