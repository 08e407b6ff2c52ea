/** Keeps an eye on the mesh: who is in it, by the leases, and what each process counts, by its admin endpoint. */

import { type Clock, type Lease, type RegistryView, type Source, sleep } from "@inmesh/core";
import type { RequestsView, RequestView, ServerInfo, StatsView } from "@inmesh/core/admin";
import type { Document } from "@inmesh/model";
import { AdminClient } from "../live/admin-client.js";
import { readProcesses } from "../live/processes.js";
import { type Edge, edgesBetween, type Readings } from "./figures.js";
import { isEventful } from "./request-story.js";

/** What is known of one process. */
export interface Member {
  readonly lease: Lease;
  /** Undefined until it has answered. */
  readonly info: ServerInfo | undefined;
}

export interface MeshWatchOptions {
  /** The registry: everybody in it. */
  readonly source: Source;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Called after each look at the processes, and whenever one comes or goes. */
  readonly onChange: () => void;
}

export interface CalledRequest {
  /** The service that made the call. */
  readonly from: string;
  readonly request: RequestView;
  /** Clock ms at which it ended. */
  readonly endedAt: number;
}

/** Between two looks at the processes, in ms. */
const LOOK_MS = 1_000;
const MODE_LOOK_MS = 50;
/** Looks that an interval spans: long enough to be steady, short enough to be live. */
const SPAN = 3;
/** An eventful request this old, in ms, is still more telling than a dull one of now. */
const TELLING_MS = 15_000;
/** All that a process keeps. */
const LAST_REQUESTS = "/requests?limit=128";

export class MeshWatch {
  readonly #clock: Clock;
  readonly #client: AdminClient;
  readonly #registry: Source;
  readonly #onChange: () => void;
  readonly #infos = new Map<string, ServerInfo>();
  readonly #waiters = new Set<() => void>();
  #view: RegistryView = { documents: [], leases: [], problems: [] };
  #readings: Readings[] = [new Map()];
  #edges: readonly Edge[] = [];
  #eventful: CalledRequest | undefined;
  #looking = false;

  constructor({ source, clock, signal, onChange }: MeshWatchOptions) {
    this.#clock = clock;
    this.#client = new AdminClient({ clock, signal, timeoutMs: LOOK_MS });
    this.#registry = source;
    this.#onChange = onChange;
  }

  start(): void {
    this.#registry.watch((view) => {
      this.#view = view;
      for (const wake of this.#waiters) wake();
      this.#onChange();
    });
    const timer = this.#clock.every(LOOK_MS, () => void this.#look());
    this.#stop = () => timer.cancel();
  }

  #stop: () => void = () => {};

  get leases(): readonly Lease[] {
    return this.#view.leases;
  }

  /** Policy as it stands in the registry. */
  get documents(): readonly Document[] {
    return this.#view.documents;
  }

  get members(): readonly Member[] {
    return this.leases.map((lease) => ({ lease, info: this.#infos.get(lease.name) }));
  }

  /** Of the last few seconds. */
  get edges(): readonly Edge[] {
    return this.#edges;
  }

  /** Resolves with what `find` first gives, now or after a change; `undefined` when the time is up. */
  async until<T>(
    find: (leases: readonly Lease[]) => T | undefined,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<T | undefined> {
    const found = find(this.leases);
    if (found !== undefined) return found;
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        timer.cancel();
        this.#waiters.delete(look);
        signal.removeEventListener("abort", abort);
      };
      const look = (): void => {
        const result = find(this.leases);
        if (result === undefined) return;
        finish();
        resolve(result);
      };
      const abort = (): void => {
        finish();
        reject(signal.reason);
      };
      const timer = this.#clock.after(timeoutMs, () => {
        finish();
        resolve(undefined);
      });
      this.#waiters.add(look);
      signal.addEventListener("abort", abort, { once: true });
    });
  }

  /** The last request that went wrong or was tried more than once, if that was just now; else the last one at all. */
  async lastRequest(): Promise<CalledRequest | undefined> {
    const all = await this.#requestsOf(this.#askable());
    return this.#rememberEventful(all) ?? all[0];
  }

  /** @returns whether every process that can be asked has the mode before the time is up */
  async untilMode(mode: string, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    const giveUpAt = this.#clock.now() + timeoutMs;
    for (;;) {
      const infos = await readProcesses<ServerInfo>(this.#client, this.#askable(), "/server_info", ["mode"]);
      if (infos.every(({ view }) => view === undefined || view.mode === mode)) return true;
      if (this.#clock.now() >= giveUpAt) return false;
      await sleep(this.#clock, MODE_LOOK_MS, signal);
    }
  }

  /** One process's counters now, or undefined when it does not answer. */
  async statsOf(lease: Lease): Promise<StatsView | undefined> {
    const [answer] = await readProcesses<StatsView>(this.#client, [lease], "/stats", ["outbound"]);
    return answer?.view;
  }

  async close(): Promise<void> {
    this.#stop();
    await this.#registry.close();
  }

  /** Newest first. */
  async #requestsOf(leases: readonly Lease[]): Promise<CalledRequest[]> {
    const answers = await readProcesses<RequestsView>(this.#client, leases, LAST_REQUESTS, ["requests"]);
    const now = this.#clock.now();
    return answers
      .flatMap(({ lease, view }) =>
        (view?.requests ?? []).map((request) => ({ from: lease.service, request, endedAt: now - request.agoMs })),
      )
      .sort((a, b) => b.endedAt - a.endedAt);
  }

  #rememberEventful(newestFirst: readonly CalledRequest[]): CalledRequest | undefined {
    const eventful = newestFirst.find(({ request }) => isEventful(request));
    if (eventful !== undefined && eventful.endedAt > (this.#eventful?.endedAt ?? 0)) this.#eventful = eventful;
    const recent = this.#clock.now() - (this.#eventful?.endedAt ?? 0) < TELLING_MS;
    return recent ? this.#eventful : undefined;
  }

  /** A process keeps few requests: those that went wrong must be fetched before they are pushed out. */
  async #keepEventful(before: Readings, now: Readings): Promise<void> {
    const troubled = this.#askable().filter(({ name }) => troubles(now.get(name)) > troubles(before.get(name)));
    if (troubled.length > 0) this.#rememberEventful(await this.#requestsOf(troubled));
  }

  /** A look that takes longer than the pace does not pile up. */
  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      const leases = this.#askable();
      const [stats, infos] = await Promise.all([
        readProcesses<StatsView>(this.#client, leases, "/stats", ["outbound", "atMs"]),
        readProcesses<ServerInfo>(this.#client, leases, "/server_info", ["mode", "state"]),
      ]);
      for (const { lease, view } of infos) if (view !== undefined) this.#infos.set(lease.name, view);
      for (const name of this.#infos.keys()) if (!leases.some((lease) => lease.name === name)) this.#infos.delete(name);
      const last = this.#readings.at(-1);
      // Of one that is too busy to answer, what it told before stands: it has not stopped calling.
      const now: Readings = new Map(
        stats.flatMap(({ lease: { name }, view = last?.get(name) }) => (view === undefined ? [] : [[name, view]])),
      );
      if (last !== undefined) await this.#keepEventful(last, now);
      this.#readings = [...this.#readings, now].slice(-(SPAN + 1));
      const first = this.#readings[0];
      if (first !== undefined && first !== now) this.#edges = edgesBetween(first, now);
      this.#onChange();
    } catch {
      // Interrupted: the session is ending.
    } finally {
      this.#looking = false;
    }
  }

  #askable(): readonly Lease[] {
    return this.leases.filter(({ admin }) => admin !== undefined);
  }
}

/** Calls that did not go straight through, since the start of the process. */
function troubles(stats: StatsView | undefined): number {
  return (stats?.outbound ?? []).reduce(
    (sum, { stats: { failures, retries, replays } }) => sum + failures + retries + replays,
    0,
  );
}
