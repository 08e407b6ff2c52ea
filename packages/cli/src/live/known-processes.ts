/** Processes that no registry tells of: noted by themselves on this machine, or named by their admin address. */

import type { Lease } from "@inmesh/core";
import type { ServerInfo } from "@inmesh/core/admin";
import { readProcessNotes, withoutBrackets } from "@inmesh/core/internal";
import type { Cli } from "../cli.js";
import { CliError, EXIT } from "../exit.js";
import { AdminError, adminClient } from "./admin-client.js";
import { statesOf } from "./states-of.js";

/** Those that take their configuration from `registry`, in whatever way they ask it. @param registry without secrets */
export function notedProcesses(env: Cli["io"]["env"], registry: string): Promise<readonly Lease[]> {
  const place = placeOf(registry);
  return readProcessNotes(statesOf(env), (other) => placeOf(other) === place);
}

function placeOf(registry: string): string {
  return registry.split("?", 1)[0]?.replace(/\/$/, "") ?? "";
}

export interface NamedProcessOptions {
  /** `--admin`: `host:port`, `http://host:port` or `unix:/path`. */
  readonly admin?: readonly string[];
  readonly remote?: boolean;
  readonly timeout: number;
}

/** Asks each who it is. @throws {CliError} nobody answers at one of them */
export async function namedProcesses(cli: Cli, options: NamedProcessOptions): Promise<readonly Lease[]> {
  const client = adminClient(cli, options);
  return await Promise.all(
    (options.admin ?? []).map(async (given): Promise<Lease> => {
      const admin = addressOf(given);
      try {
        const info = await client.read<ServerInfo>(admin, "/server_info", ["instance", "service", "namespace"]);
        const { namespace, service, instance, pid, labels = {}, ports = [], inmesh, schemaVersion } = info;
        return {
          ...{ namespace, service, instance, pid, labels, admin, schemaVersion, inmeshVersion: inmesh, ttlMs: 0 },
          name: `${namespace}.${service}.${instance}`,
          address: hostOf(admin),
          ports: ports.map((number) => ({ number, name: `${number}` })),
        };
      } catch (error) {
        if (!(error instanceof AdminError)) throw error;
        const advice =
          "A process says where its admin endpoint is when it starts, and INMESH_ADMIN=HOST:PORT says where it shall be.";
        throw new CliError(EXIT.unreachable, `no process answers at ${given}: ${error.message}`, advice);
      }
    }),
  );
}

function addressOf(given: string): string {
  if (given.startsWith("unix:")) return given;
  const url = /^https?:\/\//.test(given) ? given : `http://${given}`;
  if (URL.canParse(url)) return url.replace(/\/+$/, "");
  throw new CliError(EXIT.usage, `--admin ${given} is no address`, "Write host:port, http://host:port or unix:/path.");
}

function hostOf(admin: string): string {
  return admin.startsWith("unix:") ? "127.0.0.1" : withoutBrackets(new URL(admin).hostname);
}
