/** `inmesh proxy-config`: what is in force in one process, in the nouns and columns of istioctl. */

import {
  type ClustersView,
  CONFIG_TYPES,
  type ConfigDump,
  type ConfigKind,
  type ConfigSection,
} from "@inmesh/core/admin";
import { Argument, Command, InvalidArgumentError } from "commander";
import type { Cli } from "../cli.js";
import { withRemote } from "../command/change.js";
import { action, type CommandPorts } from "../command/define.js";
import { CliError, EXIT } from "../exit.js";
import { adminClient } from "../live/admin-client.js";
import { findProcesses } from "../live/find-processes.js";
import { processName, readProcesses } from "../live/processes.js";
import { formatOf, namespaceOf, type RegistryOptions, withCommon, withRegistry } from "../options.js";
import { LIST_FORMATS, printData, printListing } from "../output/format.js";
import { withOpenRegistry } from "../registry/open-registry.js";
import { type ConfigRow, rowsOf, TITLES } from "./rows.js";

interface ProxyConfigOptions extends RegistryOptions {
  readonly remote?: boolean;
  readonly fqdn?: string;
  readonly port?: number;
  readonly subset?: string;
}

const KINDS = Object.keys(CONFIG_TYPES) as readonly ConfigKind[];
/** istioctl takes these as well. */
const SHORT: Readonly<Record<string, ConfigKind>> = {
  ...{ cluster: "clusters", c: "clusters", listener: "listeners", l: "listeners", route: "routes", r: "routes" },
  ...{ endpoint: "endpoints", ep: "endpoints", secret: "secrets", s: "secrets", b: "bootstrap" },
};

const EXAMPLES = `
Examples:
  inmesh proxy-config clusters web           of the process, or of the first one, of service web
  inmesh pc endpoints shop/web-1b20 --fqdn reviews.shop.svc.cluster.local
  inmesh pc all web -o json                  in the shape of Envoy's /config_dump
Istio's short forms work, too: cluster, listener, route, endpoint, secret; c, l, r, ep, s, b.
See also: inmesh routes, endpoints and certs, which look at the whole mesh.
`;

export function proxyConfigCommand(ports: CommandPorts): Command {
  const kind = new Argument("<kind>", `${KINDS.join(", ")}, or all`).argParser(kindOf);
  kind.argChoices = [...KINDS, "all"];
  const command = new Command("proxy-config")
    .alias("pc")
    .description("show what is in force in a process: clusters, routes, listeners, endpoints, secrets, bootstrap")
    .addArgument(kind)
    .argument("<process>", "instance, namespace/instance, or a service")
    .option("--fqdn <host>", "of this host only")
    .option("--port <number>", "of this port only", portOf)
    .option("--subset <name>", "of this subset only")
    .addHelpText("after", EXAMPLES);
  return withRemote(withRegistry(withCommon(command, LIST_FORMATS))).action(
    action<[ConfigKind | "all", string], ProxyConfigOptions>(ports, (cli, [wanted, name], options) =>
      withOpenRegistry(options, cli, async ({ view }) => {
        const [lease, ...others] = findProcesses(view.leases, name, namespaceOf(options, cli));
        if (lease === undefined) throw new Error("found processes are at least one");
        if (others.length > 0)
          cli.note(`${processName(lease)}, one of ${others.length + 1} processes of ${lease.service}`);
        const client = adminClient(cli, options);
        const query = wanted === "all" ? "" : `?resource=${wanted}`;
        const [[dump], [live]] = await Promise.all([
          readProcesses<ConfigDump>(client, [lease], `/config_dump${query}`, ["configs"]),
          readProcesses<ClustersView>(client, [lease], "/clusters", ["clusters"]),
        ]);
        if (dump?.view === undefined) {
          const text = `${processName(lease)} does not answer: ${dump?.failure}`;
          throw new CliError(EXIT.unreachable, text, "See: inmesh status");
        }
        const input = { clusters: live?.view, now: cli.io.clock.wallTime() };
        const sections = sectionsOf(dump.view, wanted).map(([kind, section]) => ({
          kind,
          section,
          rows: rowsOf(kind, section, input).filter((row) => isWanted(row, options)),
        }));
        print(cli, options, processName(lease), sections);
        return EXIT.ok;
      }),
    ),
  );
}

interface Section {
  readonly kind: ConfigKind;
  readonly section: ConfigSection;
  readonly rows: readonly ConfigRow[];
}

function print(cli: Cli, options: ProxyConfigOptions, process: string, sections: readonly Section[]): void {
  const format = formatOf(options);
  if (format === "json" || format === "yaml") {
    const configs = sections.map(({ section, rows }) => onlyRows(section, rows, options));
    return printData(cli, format, { process, configs });
  }
  for (const [at, { kind, rows }] of sections.entries()) {
    if (sections.length > 1 && format !== "name") cli.print(`${at > 0 ? "\n" : ""}${cli.paint("bold", kind)}\n`);
    const { cells, wide } = TITLES[kind];
    printListing(cli, format, {
      rows,
      columns: [
        ...cells.map((title) => ({ title, cell: (row: ConfigRow) => row.cells[title] ?? "" })),
        ...wide.map((title) => ({ title, cell: (row: ConfigRow) => row.wide[title] ?? "", wide: true })),
      ],
      json: rows,
      name: ({ name }) => name,
      empty: `${process} has no ${kind}${isFiltered(options) ? " like that" : ""}.`,
    });
  }
}

function sectionsOf({ configs }: ConfigDump, wanted: ConfigKind | "all"): [ConfigKind, ConfigSection][] {
  return KINDS.filter((kind) => wanted === "all" || kind === wanted).flatMap((kind) => {
    const section = configs.find((each) => each["@type"] === CONFIG_TYPES[kind]);
    return section === undefined ? [] : [[kind, section] as [ConfigKind, ConfigSection]];
  });
}

function isFiltered({ fqdn, port, subset }: ProxyConfigOptions): boolean {
  return fqdn !== undefined || port !== undefined || subset !== undefined;
}

/** What has no host is no part of any. */
function isWanted(row: ConfigRow, { fqdn, port, subset }: ProxyConfigOptions): boolean {
  return (
    (fqdn === undefined || row.host === fqdn) &&
    (port === undefined || row.port === port) &&
    (subset === undefined || row.subset === subset)
  );
}

/** The section with the parts that some row is about. */
function onlyRows(section: ConfigSection, rows: readonly ConfigRow[], options: ProxyConfigOptions): ConfigSection {
  if (!isFiltered(options)) return section;
  const kept = new Set(rows.flatMap(({ name, port, cells }) => [name, cells["CLUSTER"], cells["NAME"], `${port}`]));
  const parts = (value: unknown): unknown =>
    Array.isArray(value) ? value.filter((part) => kept.has(nameOf(part))) : value;
  return Object.fromEntries(Object.entries(section).map(([field, value]) => [field, parts(value)])) as ConfigSection;
}

function nameOf(part: unknown): string | undefined {
  const { name, cluster, endpoint_config: endpoints, route_config: routes } = part as Record<string, NamedPart>;
  if (typeof name === "string") return name;
  return cluster?.name ?? endpoints?.cluster_name ?? routes?.name;
}

interface NamedPart {
  readonly name?: string;
  readonly cluster_name?: string;
}

function kindOf(given: string): ConfigKind | "all" {
  const kind = SHORT[given] ?? given;
  if (kind === "all" || KINDS.includes(kind as ConfigKind)) return kind as ConfigKind | "all";
  throw new InvalidArgumentError(`Allowed choices are ${KINDS.join(", ")}, all.`);
}

function portOf(given: string): number {
  const port = Number(given);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw new InvalidArgumentError("Write a number from 1 to 65535.");
}
