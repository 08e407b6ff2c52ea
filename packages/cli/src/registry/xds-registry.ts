/**
 * A control plane as the registry of a command: it is asked as a process of the mesh would ask it, and all that it tells is
 * waited for. It takes nothing, and does not know where its processes are.
 */

import { type Clock, MeshError, type RegistryView, type Source, type SourceStatus, type Store } from "@inmesh/core";
import type { ClientContext } from "@inmesh/model";
import { ApiSource } from "@inmesh/xds/api";
import type { AdsClient } from "@inmesh/xds/client";
import { notedProcesses } from "../live/known-processes.js";
import { failingMs, openStreamAs, readTarget, type StreamPorts } from "../xds/open-stream.js";
import type { MeshRegistry, MeshRegistryOptions } from "./mesh-registry.js";
import type { RegistryName } from "./registry-name.js";
import { compiledView } from "./xds-compiled.js";

const NOBODY = { namespace: "default", service: "inmesh" };
/** Instances of services that nobody answers for are not waited for longer, in ms. */
const PATIENCE_MS = 3_000;
/** @throws {CliError} for a URL that cannot be used */
export function xdsRegistry(
  { shown, url }: Extract<RegistryName, { kind: "xds" }>,
  { clock, env, onWarning, trace = () => {}, asker = NOBODY, timeoutMs = 10_000 }: MeshRegistryOptions,
): MeshRegistry {
  const warn = (message: string): void => onWarning({ code: "", message } as Parameters<typeof onWarning>[0]);
  const ports: StreamPorts = { env, clock, trace, warn };
  const target = readTarget(url, env);
  const { profile } = target;
  const self: ClientContext = { ...asker, labels: {} };
  const processes = () => notedProcesses(env, shown);
  const base = { kind: "xds" as const, shown, adviceFor: () => ADVICE, processes };
  if (profile !== "api") {
    const source = new NoDocuments(clock);
    return {
      ...{ ...base, source, store: storeOf(() => undefined), profile },
      viewOf: (client) => compiledView(ports, url, client.service === "" ? { ...client, ...asker } : client, timeoutMs),
      close: () => source.close(),
    };
  }
  const source = new WholeApi(openStreamAs(ports, url, self).client, clock, {
    patienceMs: Math.min(PATIENCE_MS, timeoutMs / 2),
    failingMs: failingMs(target),
  });
  return { ...base, source, store: storeOf(() => source.view), profile, close: () => source.close() };
}

const ADVICE = "See what is in the way with: inmesh check";

/** In ms. */
interface Limits {
  /** For instances that nobody answers for. */
  readonly patienceMs: number;
  /** For a stream that fails. */
  readonly failingMs: number;
}

/** Shows a view once the instances of every service in it have been told. */
class WholeApi implements Source {
  readonly #client: AdsClient;
  readonly #api: ApiSource;
  readonly #clock: Clock;
  readonly #openedAt: number;
  readonly #limits: Limits;
  #giveUp: { cancel(): void } | undefined;
  #isOver = false;
  view: RegistryView | undefined;

  constructor(client: AdsClient, clock: Clock, limits: Limits) {
    this.#client = client;
    this.#clock = clock;
    this.#api = new ApiSource({ client, clock });
    this.#limits = limits;
    this.#openedAt = clock.now();
  }

  get status(): SourceStatus {
    const { status } = this.#api;
    const { state, reason } = this.#client.status;
    const now = this.#clock.now();
    const isAway = state === "connecting" && reason !== undefined && now - this.#openedAt >= this.#limits.failingMs;
    return isAway ? { state: "stale", since: this.#openedAt, reason } : status;
  }

  watch(listener: (view: RegistryView) => void): void {
    this.#api.watch((view) => {
      this.view = view;
      const missing = (view.services ?? []).filter(({ loaded }) => !loaded);
      for (const service of missing) this.#api.use(service);
      if (missing.length === 0 || this.#isOver) return listener(view);
      this.#giveUp ??= this.#clock.after(this.#limits.patienceMs, () => {
        this.#isOver = true;
        if (this.view !== undefined) listener(this.view);
      });
    });
  }

  async close(): Promise<void> {
    this.#giveUp?.cancel();
    await this.#api.close();
  }
}

/** What is told there is compiled, for each client another. */
class NoDocuments implements Source {
  readonly status: SourceStatus;

  constructor(clock: Clock) {
    this.status = { state: "fresh", since: clock.now() };
  }

  watch(listener: (view: RegistryView) => void): void {
    listener({ documents: [], leases: [], problems: [] });
  }

  async close(): Promise<void> {}
}

function storeOf(view: () => RegistryView | undefined): Required<Store> {
  const refuse = async (): Promise<never> => {
    throw new MeshError("CONFIG_INVALID", "a control plane cannot be written");
  };
  return { list: async () => view()?.documents ?? [], apply: refuse, delete: refuse, history: refuse };
}
