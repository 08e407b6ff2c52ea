/** Opens the folder of a mesh for one command: its first view, and snapshots as any client of it would see them. */

import { type Clock, type Refusal, type RegistryView, sleep } from "@inmesh/core";
import { FolderRegistry } from "@inmesh/core/folder";
import type { ClientContext, Document, Snapshot } from "@inmesh/model";
import type { Cli } from "../cli.js";
import { CliError, EXIT } from "../exit.js";
import { configOf, type RegistryOptions } from "../options.js";
import { count, formatMs } from "../output/format.js";
import { compileView } from "./compile-view.js";
import { PassedOver } from "./passed-over.js";

export interface ClientView {
  readonly snapshot: Snapshot;
  /** Documents that are not in force as they are written. */
  readonly refused: readonly Refusal[];
}

/** The registry's word for a file that exists and cannot be read. */
const UNREADABLE = "IM0702";

export class OpenRegistry {
  /** As the user named it. */
  readonly shown: string;
  readonly folder: FolderRegistry;
  readonly #clock: Clock;
  readonly #snapshots = new Map<string, ClientView>();
  readonly #passedOver: PassedOver;
  #view: RegistryView;

  constructor(shown: string, folder: FolderRegistry, passedOver: PassedOver, first: RegistryView, clock: Clock) {
    this.shown = shown;
    this.folder = folder;
    this.#passedOver = passedOver;
    this.#view = first;
    this.#clock = clock;
    folder.watch((view) => {
      this.#view = view;
      this.#snapshots.clear();
    });
  }

  /** The latest one: the folder is watched until `close`. */
  get view(): RegistryView {
    return this.#view;
  }

  /** Documents of kinds without effect. Undefined where a file cannot be read, which the view's problems say. */
  get passedOver(): readonly Document[] | undefined {
    return this.#view.problems.some(({ code }) => code === UNREADABLE) ? undefined : this.#passedOver.documents;
  }

  /** What a client gets, by the same steps as in a process. @throws {CliError} when the policy cannot be compiled */
  async viewOf(client: ClientContext): Promise<ClientView> {
    const key = JSON.stringify(client);
    const known = this.#snapshots.get(key);
    if (known !== undefined) return known;
    const { snapshot, status } = await compileView(this.#view, client, this.#clock);
    const { refused, problems } = status;
    if (snapshot === undefined) {
      const reason = problems.at(-1)?.message ?? "the policy could not be compiled";
      throw new CliError(EXIT.bad, reason, `See: inmesh analyze ${this.shown}`);
    }
    const made = { snapshot, refused };
    this.#snapshots.set(key, made);
    return made;
  }

  close(): Promise<void> {
    return this.folder.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** @throws {CliError} when the folder cannot be read, or not within the timeout */
export async function openRegistry(options: RegistryOptions, cli: Cli): Promise<OpenRegistry> {
  const { clock, signal } = cli.io;
  const { shown, path } = configOf(options, cli);
  const passedOver = new PassedOver();
  const folder = new FolderRegistry({ path, parse: passedOver.parse, clock });
  let first: RegistryView | undefined;
  folder.watch((view) => {
    first = view;
  });
  const openedAt = clock.now();
  const giveUpAt = openedAt + options.timeout;
  try {
    while (first === undefined) {
      const { state, reason = "it cannot be read" } = folder.status;
      if (state === "stale") throw new CliError(EXIT.unreachable, `no registry at "${shown}": ${reason}`, ADVICE);
      if (clock.now() >= giveUpAt) {
        throw new CliError(EXIT.timeout, `the registry "${shown}" was not read within ${options.timeout} ms`, ADVICE);
      }
      await sleep(clock, 5, signal);
    }
  } catch (error) {
    await folder.close();
    throw error;
  }
  const { documents, leases } = first;
  const found = `${count(documents.length, "document")}, ${count(leases.length, "registered process", "registered processes")}`;
  cli.trace(`registry ${path}: ${found}, read in ${formatMs(clock.now() - openedAt)}`);
  return new OpenRegistry(shown, folder, passedOver, first, clock);
}

/** Runs `use` with the registry open, and closes it on every way out. */
export async function withOpenRegistry<T>(
  options: RegistryOptions,
  cli: Cli,
  use: (registry: OpenRegistry) => Promise<T>,
): Promise<T> {
  const registry = await openRegistry(options, cli);
  try {
    return await use(registry);
  } finally {
    await registry.close();
  }
}

/** For a list of processes that is empty. */
export function noProcess({ shown }: OpenRegistry): string {
  return `No process is registered in "${shown}". Start one with: inmesh dev -- node server.js`;
}

const ADVICE = "Name the folder of the mesh with --config DIR or INMESH_CONFIG, and check that you may read it.";
