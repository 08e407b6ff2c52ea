/** Watches calls and requests of several processes at once, as they tell of them at /tap. */

import type { Lease } from "@inmesh/core";
import type { TapBegin, TapEvent } from "@inmesh/core/admin";
import type { Command } from "commander";
import { Option } from "commander";
import type { Cli } from "../cli.js";
import { CliError, EXIT } from "../exit.js";
import { type AdminClient, AdminError } from "../live/admin-client.js";
import { findProcesses } from "../live/find-processes.js";
import { canBeAsked, processName } from "../live/processes.js";
import { inNamespace, namespaceOf, type RegistryOptions } from "../options.js";
import { noProcess, type OpenRegistry } from "../registry/open-registry.js";

export interface TapOptions extends RegistryOptions {
  readonly remote?: boolean;
  readonly to?: string;
  readonly path?: string;
  readonly method?: string;
  readonly status?: string;
  readonly direction?: "inbound" | "outbound";
}

/** One event, and who told it. */
export interface Tapped extends TapEvent, Teller {
  readonly event: "end";
}

/** That one goes on for a while. */
export interface TappedBegin extends TapBegin, Teller {
  readonly event: "begin";
}

interface Teller {
  /** `namespace/instance`. */
  readonly process: string;
  /** `namespace/service`. */
  readonly source: string;
}

/** A connection for each: more than anybody could read. */
const MOST_PROCESSES = 64;

export function withTapFilters(command: Command): Command {
  return command
    .option("--to <service>", "calls to this service only: reviews, reviews.shop or its host")
    .option("--path <prefix>", "of paths that begin so")
    .option("--method <method>", "of this method")
    .option("--status <status>", "503, 5xx, or error")
    .addOption(new Option("--direction <way>", "calls made, or requests served").choices(["inbound", "outbound"]));
}

/** @throws {CliError} when there is nobody to watch */
export function tappedLeases(
  cli: Cli,
  registry: OpenRegistry,
  name: string | undefined,
  options: TapOptions,
): readonly Lease[] {
  const { leases } = registry.view;
  const found =
    name === undefined ? leases.filter(inNamespace(options)) : findProcesses(leases, name, namespaceOf(options, cli));
  const able = found.filter((lease) => canBeAsked(lease, options.remote));
  if (able.length === 0) {
    const text = found.length === 0 ? noProcess(registry) : "They have no admin endpoint: set INMESH_ADMIN.";
    throw new CliError(EXIT.unreachable, "no process can be watched", text);
  }
  if (able.length > MOST_PROCESSES)
    cli.warn(`the first ${MOST_PROCESSES} of ${able.length} processes are watched: name one`);
  return able.slice(0, MOST_PROCESSES);
}

/**
 * Resolves when all processes have ended it, or `client`'s signal aborts.
 * @throws {CliError} when no process lets itself be watched
 */
export async function watchProcesses(
  cli: Cli,
  client: AdminClient,
  leases: readonly Lease[],
  options: TapOptions,
  onEvent: (event: Tapped | TappedBegin) => void,
): Promise<void> {
  let failed = 0;
  let reason = "";
  const path = `/tap${queryOf(options)}`;
  await Promise.all(
    leases.map(async (lease) => {
      const process = processName(lease);
      const source = `${lease.namespace}/${lease.service}`;
      try {
        const admin = await client.addressOf(lease);
        if (admin === undefined) throw new AdminError("it has no admin endpoint");
        await client.events(admin, path, (name, data) => {
          if (name === "end" && isEvent(data)) onEvent({ event: name, ...data, process, source });
          else if (name === "begin" && isBegin(data)) onEvent({ event: name, ...data, process, source });
          else if (name === "dropped") cli.note(droppedText(process, data));
        });
      } catch (error) {
        if (!(error instanceof AdminError)) throw error;
        failed += 1;
        reason = `${process}: ${error.message}`;
        if (failed < leases.length) cli.warn(`${reason}; it is watched no longer`);
      }
    }),
  );
  if (failed < leases.length) return;
  throw new CliError(EXIT.unreachable, `no process lets itself be watched: ${reason}`, "See: inmesh status");
}

function queryOf({ to, path, method, status, direction }: TapOptions): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ service: to, path, method, status, direction })) {
    if (value !== undefined) query.set(name, value);
  }
  return query.size === 0 ? "" : `?${query}`;
}

/** What another process said. */
function isBegin(data: unknown): data is TapBegin {
  const { direction, method, path, authority, at, endpoint, durationMs } = (data ?? {}) as Partial<TapBegin>;
  return (
    (direction === "inbound" || direction === "outbound") &&
    [method, path, authority, at, endpoint].every((each) => typeof each === "string") &&
    typeof durationMs === "number"
  );
}

function isEvent(data: unknown): data is TapEvent {
  const { direction, method, path, status, durationMs, at, attempts, ledger } = (data ?? {}) as Partial<TapEvent>;
  return (
    (direction === "inbound" || direction === "outbound") &&
    [method, path, at].every((each) => typeof each === "string") &&
    [status, durationMs].every((each) => typeof each === "number") &&
    Array.isArray(attempts) &&
    typeof ledger === "object" &&
    ledger !== null
  );
}

function droppedText(process: string, data: unknown): string {
  const { count = 0, why = "" } = (data ?? {}) as { readonly count?: unknown; readonly why?: unknown };
  return `${process} left out ${Number(count)}: ${String(why)}`;
}
