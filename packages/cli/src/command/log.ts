/** `inmesh log`: how much running processes say about themselves, and where their access logs go; `--level` changes it. */

import { Command } from "commander";
import type { Cli } from "../cli.js";
import { CliError, EXIT } from "../exit.js";
import { adminClient } from "../live/admin-client.js";
import { findProcesses } from "../live/find-processes.js";
import { processName, type Reading, readProcesses } from "../live/processes.js";
import {
  formatOf,
  inNamespace,
  namespaceOf,
  type RegistryOptions,
  withAllNamespaces,
  withCommon,
  withRegistry,
} from "../options.js";
import { LIST_FORMATS, printListing } from "../output/format.js";
import { noProcess, withOpenRegistry } from "../registry/open-registry.js";
import { withRemote } from "./change.js";
import { action, type CommandPorts } from "./define.js";

interface LogOptions extends RegistryOptions {
  readonly level?: string;
  readonly remote?: boolean;
}

/** Of `/logging`. */
interface LoggingView {
  readonly level: string;
  readonly scopes: Readonly<Record<string, string>>;
  readonly accessLog: readonly { readonly to: string; readonly written: number; readonly dropped: number }[];
}

interface LogRow {
  /** `namespace/instance`. */
  readonly name: string;
  /** Null when it did not answer. */
  readonly level: string | null;
  /** Scopes whose level is another one. */
  readonly scopes: Readonly<Record<string, string>>;
  readonly accessLog: LoggingView["accessLog"];
  readonly failure: string;
}

const FIELDS = ["level", "scopes", "accessLog"] as const;
const LEVELS = /^(?:[a-z-]+:)?(?:off|error|warn|info|debug|trace)$/;

const EXAMPLES = `
Examples:
  inmesh log                              levels of all processes, and their access logs
  inmesh log cart --level debug           everything that cart's processes say
  inmesh log cart --level warn,tls:debug  more of one scope
Levels change until the process ends; INMESH_LOG says what they begin with.
`;

export function logCommand(ports: CommandPorts): Command {
  const command = new Command("log")
    .description("show or change how much running processes say about themselves")
    .argument("[process]", "an instance, or a service for all of its processes")
    .option("--level <levels>", "new levels: debug for all scopes, tls:debug for one, several after commas")
    .addHelpText("after", EXAMPLES);
  return withRemote(withAllNamespaces(withRegistry(withCommon(command, LIST_FORMATS)))).action(
    action<[string | undefined], LogOptions>(ports, (cli, [name], options) =>
      withOpenRegistry(options, cli, async (registry) => {
        const { leases: all } = registry.view;
        const leases =
          name === undefined ? all.filter(inNamespace(options)) : findProcesses(all, name, namespaceOf(options, cli));
        const path = options.level === undefined ? "/logging" : levelPath(options.level);
        const how = options.level === undefined ? "read" : "write";
        const readings = await readProcesses<LoggingView>(adminClient(cli, options), leases, path, FIELDS, how);
        const rows = readings.map(logRow);
        print(cli, options, rows, noProcess(registry));
        return options.level !== undefined && rows.some(({ level }) => level === null) ? EXIT.bad : EXIT.ok;
      }),
    ),
  );
}

function levelPath(levels: string): string {
  const wrong = levels.split(",").find((part) => !LEVELS.test(part.trim()));
  if (wrong !== undefined) {
    const expected = "Expected off, error, warn, info, debug or trace, or scope:level";
    throw new CliError(EXIT.usage, `there is no level ${JSON.stringify(wrong.trim())}`, expected);
  }
  // A level alone is one for all scopes.
  const parameter = /^[a-z]+$/.test(levels) ? "level" : "levels";
  return `/logging?${new URLSearchParams({ [parameter]: levels })}`;
}

function logRow({ lease, view, failure }: Reading<LoggingView>): LogRow {
  const { level = null, scopes = {}, accessLog = [] } = view ?? {};
  const others = Object.entries(scopes).filter(([, own]) => own !== level);
  return { name: processName(lease), level, scopes: Object.fromEntries(others), accessLog, failure: failure ?? "" };
}

function print(cli: Cli, options: LogOptions, rows: readonly LogRow[], empty: string): void {
  printListing(cli, formatOf(options), {
    rows,
    json: { processes: rows },
    name: ({ name }) => name,
    empty,
    columns: [
      { title: "DATA PLANE", cell: ({ name }) => name },
      { title: "LEVEL", cell: ({ level, failure }) => level ?? `unreachable: ${failure}` },
      {
        title: "SCOPES",
        wide: true,
        cell: ({ scopes }) =>
          Object.entries(scopes)
            .map(([scope, level]) => `${scope}:${level}`)
            .join(","),
      },
      {
        title: "ACCESS LOG",
        cell: ({ accessLog }) =>
          accessLog
            .map(({ to, written, dropped }) => `${to} (${written}${dropped > 0 ? `, ${dropped} dropped` : ""})`)
            .join(", "),
      },
    ],
  });
}
