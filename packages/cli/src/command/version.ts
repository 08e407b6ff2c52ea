/** `inmesh version`: of this command, and of the processes that are registered. */

import type { Lease } from "@inmesh/core";
import { SCHEMA_VERSION } from "@inmesh/model";
import { Command } from "commander";
import type { Cli } from "../cli.js";
import { CliError, EXIT } from "../exit.js";
import { formatOf, type RegistryOptions, withCommon, withRegistry } from "../options.js";
import { count, printData, REPORT_FORMATS } from "../output/format.js";
import { printable } from "../output/paint.js";
import { withOpenRegistry } from "../registry/open-registry.js";
import { VERSION } from "../version.js";
import { action, type CommandPorts } from "./define.js";

interface DataPlaneVersion {
  readonly inmesh: string;
  readonly schemaVersion: number;
  /** How many processes run it. */
  readonly processes: number;
}

interface VersionOptions extends RegistryOptions {
  readonly client?: boolean;
}

export function versionCommand(ports: CommandPorts): Command {
  const command = new Command("version")
    .description("print the versions of inmesh, its policy schema and Node, and those of the running processes")
    .option("--client", "of this command only; no registry is looked at");
  return withRegistry(withCommon(command, REPORT_FORMATS), 2_000).action(
    action<[], VersionOptions>(ports, async (cli, _, options) => {
      const format = formatOf(options);
      const own = { inmesh: VERSION, schemaVersion: SCHEMA_VERSION, node: process.versions.node };
      const dataPlanes = options.client === true ? undefined : await findDataPlanes(cli, options);
      if (format === "json" || format === "yaml") {
        printData(cli, format, { ...own, ...(dataPlanes !== undefined && { dataPlanes }) });
        return EXIT.ok;
      }
      cli.print(`inmesh ${VERSION} (policy schema ${SCHEMA_VERSION}, node ${process.versions.node})\n`);
      for (const { inmesh, schemaVersion, processes } of dataPlanes ?? []) {
        const who = count(processes, "process", "processes");
        const text = `${who} ${processes === 1 ? "runs" : "run"} inmesh ${inmesh} (policy schema ${schemaVersion})`;
        const same = inmesh === VERSION && schemaVersion === SCHEMA_VERSION;
        cli.print(`${cli.paint(same ? "green" : "yellow", printable(text))}\n`);
      }
      return EXIT.ok;
    }),
  );
}

/** Undefined where there is no registry: somebody who asks for a version need not have one. */
async function findDataPlanes(cli: Cli, options: VersionOptions): Promise<DataPlaneVersion[] | undefined> {
  try {
    return await withOpenRegistry(options, cli, async ({ view }) => {
      const { namespace } = options;
      return versionsOf(view.leases.filter((lease) => namespace === undefined || lease.namespace === namespace));
    });
  } catch (error) {
    if (!(error instanceof CliError) || options.config !== undefined) throw error;
    cli.trace(error.message);
    return undefined;
  }
}

/** The most processes first. */
function versionsOf(leases: readonly Lease[]): DataPlaneVersion[] {
  const found = new Map<string, DataPlaneVersion>();
  for (const { inmeshVersion, schemaVersion } of leases) {
    const key = `${inmeshVersion} ${schemaVersion}`;
    const processes = (found.get(key)?.processes ?? 0) + 1;
    found.set(key, { inmesh: inmeshVersion || "unknown", schemaVersion, processes });
  }
  return [...found.values()].sort((a, b) => b.processes - a.processes);
}
