/** Opens the registry of a mesh for one command: its first view, and snapshots as any client of it would see them. */

import {
  type ApplyResult,
  type ChangeNote,
  type Clock,
  type Lease,
  MeshError,
  type RegistryView,
  type Revision,
  sleep,
} from "@inmesh/core";
import type { ClientContext, Document } from "@inmesh/model";
import type { Cli } from "../cli.js";
import { CliError, EXIT } from "../exit.js";
import { namedProcesses } from "../live/known-processes.js";
import { namespaceOf, type RegistryOptions } from "../options.js";
import { count, formatMs } from "../output/format.js";
import type { ClientView } from "./client-view.js";
import { compileView } from "./compile-view.js";
import { type MeshRegistry, meshRegistry } from "./mesh-registry.js";
import { PassedOver } from "./passed-over.js";
import { registryName } from "./registry-name.js";

/** The registry's word for a file that exists and cannot be read. */
const UNREADABLE = "IM0702";

export class OpenRegistry {
  readonly kind: MeshRegistry["kind"];
  /** As the user named it, without anything secret. */
  readonly shown: string;
  /** Of a control plane: what it tells. */
  readonly profile: MeshRegistry["profile"];
  readonly #registry: MeshRegistry;
  readonly #clock: Clock;
  readonly #snapshots = new Map<string, ClientView>();
  readonly #passedOver: PassedOver;
  #view: RegistryView;

  readonly #untold: readonly Lease[];
  /** With the processes that it does not tell of. */
  #shownView: { readonly of: RegistryView; readonly view: RegistryView } | undefined;

  /** @param untold processes that the registry does not tell of: they are asked, and are no part of what is compiled */
  constructor(
    registry: MeshRegistry,
    passedOver: PassedOver,
    first: RegistryView,
    { clock, untold }: { readonly clock: Clock; readonly untold: readonly Lease[] },
  ) {
    this.kind = registry.kind;
    this.shown = registry.shown;
    this.profile = registry.profile;
    this.#registry = registry;
    this.#passedOver = passedOver;
    this.#view = first;
    this.#clock = clock;
    this.#untold = untold;
    registry.source.watch((view) => {
      this.#view = view;
      this.#snapshots.clear();
    });
  }

  /** The latest one: the registry is watched until `close`, a Consul only by commands that wait for something. */
  get view(): RegistryView {
    if (this.#untold.length === 0) return this.#view;
    if (this.#shownView?.of !== this.#view) {
      const told = new Set(this.#view.leases.map(({ instance, namespace }) => `${namespace}/${instance}`));
      const others = this.#untold.filter(({ instance, namespace }) => !told.has(`${namespace}/${instance}`));
      this.#shownView = { of: this.#view, view: { ...this.#view, leases: [...this.#view.leases, ...others] } };
    }
    return this.#shownView.view;
  }

  /** Documents of kinds without effect. Undefined where a file cannot be read, which the view's problems say. */
  get passedOver(): readonly Document[] | undefined {
    return this.#view.problems.some(({ code }) => code === UNREADABLE) ? undefined : this.#passedOver.documents;
  }

  /** Why the view may be old; undefined when it is not. */
  get staleness(): string | undefined {
    const { state, reason } = this.#registry.source.status;
    return state === "stale" ? unnamed(reason ?? "it is away", this.shown) : undefined;
  }

  /** As it is stored now. @throws {CliError} */
  list(): Promise<readonly Document[]> {
    return this.#ask(() => this.#registry.store.list());
  }

  /** @throws {CliError} */
  apply(documents: readonly Document[], note: ChangeNote): Promise<readonly ApplyResult[]> {
    return this.#ask(() => this.#registry.store.apply(documents, note));
  }

  /** @throws {CliError} */
  delete(keys: readonly string[], note: ChangeNote): Promise<readonly ApplyResult[]> {
    return this.#ask(() => this.#registry.store.delete(keys, note));
  }

  /** The newest change first. @throws {CliError} */
  history(key: string): Promise<readonly Revision[]> {
    return this.#ask(() => this.#registry.store.history(key));
  }

  /** Why policy of a namespace cannot be written, where the registry can be asked that. */
  obstacle(namespace: string): Promise<string | undefined> {
    return this.#registry.obstacle?.(namespace) ?? Promise.resolve(undefined);
  }

  /** The service, by `namespace/service`, whose users alone read what stands there; undefined: everybody does. */
  readBy(where: string): string | undefined {
    return this.#registry.readBy?.(where);
  }

  adviceFor(reason: string): string {
    return this.#registry.adviceFor(reason);
  }

  /** What a client gets, by the same steps as in a process. @throws {CliError} when the policy cannot be compiled */
  async viewOf(client: ClientContext): Promise<ClientView> {
    const key = JSON.stringify(client);
    const known = this.#snapshots.get(key);
    if (known !== undefined) return known;
    if (this.#registry.viewOf !== undefined) {
      const told = await this.#registry.viewOf(client);
      this.#snapshots.set(key, told);
      return told;
    }
    const { snapshot, status } = await compileView(this.#view, client, this.#clock);
    const { refused, problems } = status;
    if (snapshot === undefined) {
      const reason = problems.at(-1)?.message ?? "the policy could not be compiled";
      throw new CliError(EXIT.bad, reason, `See: inmesh analyze --config ${this.shown}`);
    }
    const made = { snapshot, refused };
    this.#snapshots.set(key, made);
    return made;
  }

  close(): Promise<void> {
    return this.#registry.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #ask<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof MeshError)) throw error;
      if (error.code !== "CONFIG_UNAVAILABLE") throw new CliError(EXIT.bad, error.message, "Correct it and try again.");
      const advice =
        this.kind === "folder"
          ? "Check that the folder is there and that you may write to it."
          : this.adviceFor(error.message);
      throw new CliError(EXIT.unreachable, error.message, advice);
    }
  }
}

/** @throws {CliError} when the registry cannot be read, or not within the timeout */
export async function openRegistry(
  options: RegistryOptions & { readonly wait?: boolean },
  cli: Cli,
): Promise<OpenRegistry> {
  const { clock, signal, env } = cli.io;
  const passedOver = new PassedOver();
  const { parse } = passedOver;
  const onWarning = ({ code, message }: { readonly code: string; readonly message: string }): void =>
    cli.warn(`${code} ${message}`);
  const registry = await meshRegistry(registryName(options, cli), {
    ...{ parse, clock, env, onWarning },
    follow: options.wait === true,
    ...{ timeoutMs: options.timeout, trace: cli.trace },
    asker: { namespace: namespaceOf(options, cli), service: env["INMESH_SERVICE"] || "inmesh" },
  });
  const { shown, source } = registry;
  let untold: readonly Lease[] = [];
  let first: RegistryView | undefined;
  source.watch((view) => {
    first = view;
  });
  const openedAt = clock.now();
  const giveUpAt = openedAt + options.timeout;
  try {
    untold = distinct([...((await registry.processes?.()) ?? []), ...(await namedProcesses(cli, options))]);
    while (first === undefined) {
      const { state, reason = "it cannot be read" } = source.status;
      if (state === "stale") {
        const text = unnamed(reason, shown);
        throw new CliError(EXIT.unreachable, `no registry at "${shown}": ${text}`, registry.adviceFor(text));
      }
      if (clock.now() >= giveUpAt) {
        throw new CliError(
          EXIT.timeout,
          `the registry "${shown}" was not read within ${options.timeout} ms`,
          registry.adviceFor(""),
        );
      }
      await sleep(clock, 5, signal);
    }
  } catch (error) {
    await registry.close();
    throw error;
  }
  const { documents } = first;
  const leases = [...first.leases, ...untold];
  const found = `${count(documents.length, "document")}, ${count(leases.length, "registered process", "registered processes")}`;
  cli.trace(`registry ${shown}: ${found}, read in ${formatMs(clock.now() - openedAt)}`);
  return new OpenRegistry(registry, passedOver, first, { clock, untold });
}

function distinct(leases: readonly Lease[]): readonly Lease[] {
  return [...new Map(leases.map((lease) => [`${lease.namespace}/${lease.instance}`, lease])).values()];
}

/** Runs `use` with the registry open, and closes it on every way out. */
export async function withOpenRegistry<T>(
  options: RegistryOptions & { readonly wait?: boolean },
  cli: Cli,
  use: (registry: OpenRegistry) => Promise<T>,
): Promise<T> {
  const registry = await openRegistry(options, cli);
  try {
    const { staleness } = registry;
    if (staleness !== undefined) {
      const what = /answered 403/.test(staleness) ? "does not tell all" : "may be out of date";
      cli.warn(`the registry "${registry.shown}" ${what}: ${staleness}. ${registry.adviceFor(staleness)}`);
    }
    return await use(registry);
  } finally {
    await registry.close();
  }
}

/** A reason without the address that stands before it anyway. */
function unnamed(reason: string, shown: string): string {
  if (!reason.startsWith(shown)) return reason;
  return reason.slice(shown.length).replace(/^: /, "").replace(/^ /, "it "); // answered, hides, has
}

/** For a list of processes that is empty. */
export function noProcess({ shown, kind }: OpenRegistry): string {
  if (kind === "xds") {
    return `No process of this user and machine takes its configuration from "${shown}". ${ASK_ELSEWHERE}`;
  }
  const start = "Start one with: inmesh dev -- node server.js";
  return `No process is registered in "${shown}"${kind === "consul" ? ", or the token may not see it" : ""}. ${start}`;
}

/** A control plane does not say where its processes are. */
const ASK_ELSEWHERE = "Ask others by their admin endpoint: --admin HOST:PORT.";
