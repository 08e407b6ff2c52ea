/**
 * From what a registry says to the snapshot in force: validate, refuse resource by resource, compile, publish. Bad input
 * ends as a Problem in the status; nothing here throws because of it. Every step is timed and counted.
 */

import type {
  ClientContext,
  CompileInput,
  Document,
  Problem,
  RefusedDocument,
  Resource,
  ResourceRef,
  Snapshot,
  Workload,
} from "@inmesh/model";
import { type Clock, systemClock, type Timer } from "../runtime/clock.js";
import { Demand } from "./demand.js";
import { leaseWorkload } from "./lease-workload.js";
import { countServices, type PipelineStatus, type Refusal } from "./pipeline-status.js";
import type { PolicyFeed } from "./policy-feed.js";
import { refusedDocument } from "./refused-document.js";
import { registryProblem } from "./registry-problem.js";
import { sameItems, sameServices } from "./same-items.js";
import type { Lease, RegistryView, ServiceRef, Source } from "./source.js";
import type { SavedState, StateFile } from "./state-file.js";
import type { SnapshotStore } from "./store.js";

/** The pure steps: those of `@inmesh/model`. They come as arguments so that this loads no parser and no schema. */
export interface PipelineSteps {
  readonly validate: (document: Document) => { readonly resource?: Resource; readonly problems: readonly Problem[] };
  readonly compile: (input: CompileInput, previous: Snapshot | undefined) => Snapshot;
}

export interface PipelineOptions extends PipelineSteps {
  readonly source: Source;
  readonly store: SnapshotStore;
  readonly client: ClientContext;
  readonly clock?: Clock;
  /** Where the last good policy is kept for a start without registry. */
  readonly state?: StateFile;
}

const NONE: readonly never[] = [];

type Verdict = ReturnType<PipelineSteps["validate"]>;

interface Accepted {
  readonly document: Document;
  readonly resource: Resource;
}

interface Judgement {
  /** See `CompileInput.refusedSecurity`. */
  readonly refusedSecurity: readonly RefusedDocument[];
  readonly accepted: ReadonlyMap<string, Accepted>;
  readonly refused: readonly Refusal[];
  readonly problems: readonly Problem[];
}

/** In ms: how long a registry that does not answer is waited for before the kept state is used. */
const STATE_PATIENCE_MS = 1_000;
/** In ms, between two looks at whether the registry has given up before that. */
const STATE_LOOK_MS = 50;

/** In ms: how often the kept state gets a new date while the registry stands by it. */
const STATE_REFRESH_MS = 6 * 3_600_000;

/** These may come as a Problem only: this version may not even read them. */
const SECURITY_KINDS: ReadonlySet<string> = new Set([
  "AuthorizationPolicy",
  "PeerAuthentication",
  "RequestAuthentication",
]);

export class Pipeline implements PolicyFeed {
  readonly #options: PipelineOptions;
  readonly #clock: Clock;
  readonly #verdicts = new WeakMap<Document, Verdict>();
  readonly #workloads = new WeakMap<Lease, Workload>();
  /** Of a registry that tells instances only of services in use. */
  readonly #demand: Demand | undefined;
  /** What is in force by key, of every document that the registry still has. */
  #accepted: ReadonlyMap<string, Accepted> = new Map();
  #view: RegistryView | undefined;
  #compiledView: RegistryView | undefined;
  #scheduled = false;
  #closed = false;
  #refused: readonly Refusal[] = [];
  #problems: readonly Problem[] = [];
  #degraded = false;
  #fromState = false;
  #stateSavedAt: number | undefined;
  #publishedAt: number | undefined;
  #refresh: Timer | undefined;
  readonly #counts = { views: 0, publications: 0, compileFailures: 0, validated: 0 };
  readonly #times = { lastValidateMs: 0, lastCompileMs: 0, lastPublishMs: 0 };

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const { source } = options;
    if (source.use === undefined) return;
    const use = (service: ServiceRef): void => source.use?.(service);
    this.#demand = new Demand({ use, clock: this.#clock, onChange: () => this.#save() });
  }

  /** Starts the source. The store has a snapshot as soon as the registry, or else the kept state, gives one. */
  start(): void {
    const { source, state } = this.#options;
    const watch = (): void => source.watch((view) => this.#receive(view));
    if (state === undefined) return watch();
    this.#refresh = this.#clock.every(STATE_REFRESH_MS, () => {
      if (source.status.state === "fresh") state.refresh();
    });
    void state.load().then((saved) => {
      if (this.#closed) return;
      if (saved !== undefined) this.#prepareState(saved);
      watch();
    });
  }

  /** A call needs the service, or still does: a registry that tells instances only of services in use tells its own. */
  use(service: ServiceRef): void {
    if (!this.#closed) this.#demand?.use(service);
  }

  get status(): PipelineStatus {
    const { source, store } = this.#options;
    const snapshot = store.current;
    return {
      state: snapshot === undefined ? "starting" : this.#degraded ? "degraded" : "ok",
      source: source.status,
      version: snapshot?.version ?? 0,
      revision: snapshot?.revision ?? "",
      fromState: this.#fromState,
      stateSavedAt: this.#stateSavedAt,
      publishedAt: this.#publishedAt,
      ...(source.use && { services: countServices(this.#view?.services) }),
      ...this.#counts,
      ...this.#times,
      refused: this.#refused,
      problems: this.#problems,
    };
  }

  /** Closes the source and finishes saving the state; idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#refresh?.cancel();
    this.#demand?.close();
    await this.#options.source.close();
    await this.#options.state?.close();
  }

  /** The kept documents stand in for those refused from the first view on, and for the registry while it is away. */
  #prepareState({ savedAt, used = [], ...content }: SavedState): void {
    this.#demand?.remember(used);
    const { documents } = content;
    this.#stateSavedAt = savedAt;
    const accepted = new Map<string, Accepted>();
    for (const document of documents) {
      const { resource } = this.#validate(document);
      if (resource !== undefined) accepted.set(document.key, { document, resource });
    }
    this.#accepted = accepted;
    const began = this.#clock.now();
    const timer = this.#clock.every(STATE_LOOK_MS, () => {
      const away = this.#options.source.status.state === "stale" || this.#clock.now() - began >= STATE_PATIENCE_MS;
      if (this.#view === undefined && !this.#closed && !away) return;
      timer.cancel();
      if (this.#view !== undefined || this.#closed) return;
      this.#receive({ ...content, problems: [] }, true);
    });
  }

  /** Views that arrive in one turn of the event loop are compiled once. */
  #receive(view: RegistryView, fromState = false): void {
    if (this.#closed) return;
    this.#counts.views += 1;
    this.#fromState = fromState;
    this.#view = view;
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      if (!this.#closed && this.#view !== undefined) this.#run(this.#view);
    });
  }

  #run(view: RegistryView): void {
    const before = this.#compiledView;
    if (
      before !== undefined &&
      sameItems(before.documents, view.documents) &&
      sameItems(before.leases, view.leases) &&
      sameItems(before.workloads, view.workloads) &&
      sameServices(before.services, view.services) &&
      sameItems(before.problems, view.problems)
    )
      return;
    const { client, store, compile } = this.#options;
    const started = this.#clock.now();
    let validated = started;
    let judgement: Judgement;
    let snapshot: Snapshot;
    try {
      judgement = this.#judge(view);
      validated = this.#clock.now();
      const { accepted, problems, refusedSecurity } = judgement;
      const resources = [...accepted.values()].map(({ resource }) => resource);
      const { services } = view;
      const workloads = [...view.leases.map((lease) => this.#workload(lease)), ...(view.workloads ?? NONE)];
      const input = { resources, workloads, client, problems, refusedSecurity, version: store.nextVersion };
      snapshot = compile(services === undefined ? input : { ...input, services }, store.current);
    } catch (error) {
      return this.#fail(error, view.problems);
    }
    const { accepted, refused } = judgement;
    const compiled = this.#clock.now();
    this.#compiledView = view;
    this.#accepted = accepted;
    this.#refused = refused;
    this.#problems = snapshot.problems;
    this.#degraded = refused.length > 0 || view.problems.some(({ severity }) => severity === "error");
    this.#counts.publications += 1;
    this.#times.lastValidateMs = validated - started;
    this.#times.lastCompileMs = compiled - validated;
    store.publish(snapshot);
    this.#publishedAt = this.#clock.now();
    this.#times.lastPublishMs = this.#publishedAt - compiled;
    this.#demand?.declare(snapshot.egress ?? NONE);
    this.#save();
  }

  /** What is in force, once the registry itself said so. */
  #save(): void {
    const view = this.#compiledView;
    const { state } = this.#options;
    if (state === undefined || view === undefined || this.#fromState) return;
    const { leases, workloads, services } = view;
    const documents = [...this.#accepted.values()].map(({ document }) => document);
    const used = this.#demand?.used;
    state.save({
      ...{ documents, leases },
      ...(workloads && { workloads }),
      ...(services && { services }),
      ...(used && { used }),
    });
  }

  #judge(view: RegistryView): Judgement {
    const accepted = new Map<string, Accepted>();
    const refused: Refusal[] = [];
    const refusedSecurity: RefusedDocument[] = [];
    const problems: Problem[] = [...view.problems];
    for (const document of view.documents) {
      const { key } = document;
      const verdict = this.#validate(document);
      problems.push(...verdict.problems);
      if (verdict.resource !== undefined) {
        accepted.set(key, { document, resource: verdict.resource });
        continue;
      }
      const last = this.#accepted.get(key);
      if (last !== undefined) accepted.set(key, last);
      const security = document.apiVersion.startsWith("security.istio.io/");
      refused.push({ ...reference(document), key, kept: last !== undefined, security, problems: verdict.problems });
      if (security && last === undefined) refusedSecurity.push(...refusedDocument(document));
    }
    for (const problem of view.problems) {
      const [kind = "", namespace = "", name = ""] = problem.resource.split("/");
      if (problem.severity !== "error" || !SECURITY_KINDS.has(kind) || accepted.has(problem.resource)) continue;
      refused.push({ kind, namespace, name, key: problem.resource, kept: false, security: true, problems: [problem] });
      refusedSecurity.push({ kind, namespace, name, selector: {} });
    }
    return { accepted, refused, refusedSecurity, problems };
  }

  #validate(document: Document): Verdict {
    let verdict = this.#verdicts.get(document);
    if (verdict === undefined) {
      this.#counts.validated += 1;
      verdict = this.#options.validate(document);
      this.#verdicts.set(document, verdict);
    }
    return verdict;
  }

  #workload(lease: Lease): Workload {
    let workload = this.#workloads.get(lease);
    if (workload === undefined) {
      workload = leaseWorkload(lease);
      this.#workloads.set(lease, workload);
    }
    return workload;
  }

  /** A fault of ours, not of the policy: the last snapshot stands until something else can be compiled. */
  #fail(error: unknown, problems: readonly Problem[]): void {
    this.#counts.compileFailures += 1;
    const found = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const message = `the policy could not be compiled: ${found}. The last snapshot stays in force. Please report this with the policy that caused it.`;
    this.#problems = [...problems, registryProblem("IM0708", "error", message)];
    this.#degraded = true;
  }
}

function reference({ kind, namespace, name }: ResourceRef): ResourceRef {
  return { kind, namespace, name };
}
