/** Watches a program join the mesh, and says what became of it: from its lease and its admin endpoint. */

import type { Lease, RegistryView } from "@inmesh/core";
import type { ServerInfo } from "@inmesh/core/admin";
import type { Cli } from "../cli.js";
import { AdminClient } from "../live/admin-client.js";
import { readProcesses } from "../live/processes.js";
import type { MeshRegistry } from "../registry/mesh-registry.js";
import { isWithin } from "./process-tree.js";

export interface JoiningOptions {
  readonly cli: Cli;
  readonly registry: MeshRegistry;
  readonly service: string;
  readonly namespace: string;
  /** Pid of the program; what it starts belongs to it. */
  readonly root: number;
}

export class Joining {
  readonly #options: JoiningOptions;
  readonly #stop = new AbortController();
  /** Leases that were there before, for systems that do not tell who started whom. */
  #before: ReadonlySet<string> | undefined;
  readonly #told = new Set<string>();

  constructor(options: JoiningOptions) {
    this.#options = options;
    options.registry.source.watch((view) => this.#look(view));
  }

  /** Whether the program registered. */
  get joined(): boolean {
    return this.#told.size > 0;
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error("the program has ended"));
    await this.#options.registry.close();
  }

  #look({ leases }: RegistryView): void {
    const { service, namespace, root } = this.#options;
    const known = this.#before ?? new Set(leases.map(({ name }) => name));
    this.#before ??= known;
    for (const lease of leases) {
      if (lease.service !== service || lease.namespace !== namespace || lease.admin === undefined) continue;
      if (this.#told.has(lease.name) || !(isWithin(lease.pid, root) ?? !known.has(lease.name))) continue;
      this.#told.add(lease.name);
      void this.#tell(lease, this.#told.size > 1);
    }
  }

  async #tell(lease: Lease, another: boolean): Promise<void> {
    const { cli } = this.#options;
    const { signal } = this.#stop;
    const client = new AdminClient({ clock: cli.io.clock, signal, trace: cli.trace });
    const say = another ? cli.trace : cli.note;
    try {
      const [reading] = await readProcesses<ServerInfo>(client, [lease], "/server_info", ["patched", "snapshot"]);
      say(`inmesh: ${joinedText(lease, reading?.view)}`);
      // Questions that a server holds cost it something, and the program may run for weeks.
      if (this.#options.registry.kind !== "folder") await this.#options.registry.close();
    } catch (error) {
      if (!signal.aborted) throw error; // over: it has ended meanwhile
    }
  }
}

/** `web (pid 4711) is in the mesh: listens on 8080; patched fetch, http, server; policy 914a28be; admin http://…`. */
export function joinedText({ service, namespace, pid, ports, admin }: Lease, info: ServerInfo | undefined): string {
  const listening = ports.map(({ number }) => number).join(", ");
  const where = listening === "" ? "calls only" : `listens on ${listening} as ${service}.${namespace}`;
  const patched = info === undefined ? [] : [`patched ${[...info.patched].sort().join(", ") || "nothing"}`];
  const { revision = "" } = info?.snapshot ?? {};
  const policy = info === undefined ? [] : [/^0*$/.test(revision) ? "no policy" : `policy ${revision.slice(0, 8)}`];
  return `${service} (pid ${pid}) is in the mesh: ${[where, ...patched, ...policy, `admin ${admin}`].join("; ")}`;
}
