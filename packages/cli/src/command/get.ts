/** `inmesh get`: the policy of a registry, as it is written there. */

import { type Document, gatewayRouteStatuses, isGatewayRouteKind, type Problem, validateDocument } from "@inmesh/model";
import { nearestName } from "@inmesh/model/internal";
import { Command } from "commander";
import { stringify } from "yaml";
import type { Cli } from "../cli.js";
import { CliError, EXIT, type ExitCode } from "../exit.js";

import { parseResourceName, type ResourceQuery } from "../input/resource-name.js";
import { formatOf, type RegistryOptions, withAllNamespaces, withCommon, withRegistry } from "../options.js";
import { formatMs, LIST_FORMATS, printData, printListing } from "../output/format.js";
import { type GatewayStatuses, statusField } from "../output/gateway-status.js";
import { placeOf } from "../output/problems.js";
import { needDocuments } from "../registry/control-plane-limits.js";
import { type OpenRegistry, withOpenRegistry } from "../registry/open-registry.js";
import { workloadsOf } from "../registry/workload.js";
import { action, type CommandPorts } from "./define.js";

const EXAMPLES = `
Examples:
  inmesh get                                all policy
  inmesh get virtualservices -n shop        one kind in one namespace; vs, dr, se, … are understood
  inmesh get vs/reviews -o yaml             one resource as YAML, ready for: inmesh apply -f -
`;

export function getCommand(ports: CommandPorts): Command {
  const command = new Command("get")
    .description("list or print policy resources of the registry")
    .argument("[kind/name]", "KIND, KIND/NAME or KIND/NAMESPACE/NAME")
    .argument("[name]", "name, when it stands apart from the kind")
    .addHelpText("after", EXAMPLES);
  return withAllNamespaces(withRegistry(withCommon(command, LIST_FORMATS))).action(
    action<[string | undefined, string | undefined], RegistryOptions>(ports, async (cli, [target, name], options) => {
      const query = parseTarget(target, name, options);
      return withOpenRegistry(options, cli, async (registry) => {
        needDocuments(registry, "list");
        const { view, shown } = registry;
        const found = view.documents.filter((document) => isWanted(document, query));
        if (query.name !== undefined && found.length === 0) throw notFound(query as NamedQuery, view.documents, shown);
        const { documents } = view;
        const statuses = found.some(({ kind }) => isGatewayRouteKind(kind))
          ? gatewayRouteStatuses(documents, workloadsOf(view))
          : NO_STATUSES;
        return print(cli, options, query, found, registry, statuses);
      });
    }),
  );
}

const NO_STATUSES: GatewayStatuses = new Map();

type Query = Partial<ResourceQuery>;
type NamedQuery = ResourceQuery & { readonly name: string };

function parseTarget(target: string | undefined, name: string | undefined, { namespace }: RegistryOptions): Query {
  if (target === undefined || target === "all") return namespace === undefined ? {} : { namespace };
  return parseResourceName(name === undefined ? target : `${target}/${name}`, namespace);
}

export function isWanted(document: Document, { kind, namespace, name }: Query): boolean {
  return (
    (kind === undefined || document.kind === kind) &&
    (namespace === undefined || document.namespace === namespace) &&
    (name === undefined || document.name === name)
  );
}

/** Says where else the name exists, or what is spelled almost like it. */
export function notFound(query: NamedQuery, documents: readonly Document[], shown: string): CliError {
  const { kind, namespace, name } = query;
  const same = documents.filter((document) => document.kind === kind);
  const elsewhere = same.find((document) => document.name === name);
  const near = nearestName(
    name,
    same.map((document) => document.name),
  );
  const advice =
    elsewhere !== undefined
      ? `There is one in namespace "${elsewhere.namespace}": ${elsewhere.kind}/${elsewhere.namespace}/${elsewhere.name}.`
      : near !== undefined
        ? `Did you mean "${near}"?`
        : `See: inmesh get ${kind}`;
  const where = namespace === undefined ? "" : ` in namespace "${namespace}"`;
  return new CliError(EXIT.bad, `no ${kind} "${name}"${where} in "${shown}"`, advice);
}

function print(
  cli: Cli,
  options: RegistryOptions,
  query: Query,
  found: readonly Document[],
  { shown, kind, view }: OpenRegistry,
  statuses: GatewayStatuses,
): ExitCode {
  const format = formatOf(options);
  if (format === "yaml") {
    const values = found.map((document) => resourceValue(document, statuses));
    cli.print(values.map((value) => stringify(value, { lineWidth: 0 })).join("---\n"));
    return EXIT.ok;
  }
  if (format === "json") {
    const items = found.map((document) => resourceValue(document, statuses));
    printData(
      cli,
      format,
      query.name !== undefined && items.length === 1 ? items[0] : { apiVersion: "v1", kind: "List", items },
    );
    return EXIT.ok;
  }
  const now = cli.io.clock.wallTime();
  // Consul answers a token that may read nothing as if there were nothing.
  const blind = kind === "consul" && view.documents.length === 0;
  const rows = found.map((document) => ({ document, error: firstError(validateDocument(document).problems) }));
  printListing(cli, format, {
    rows,
    json: undefined,
    name: ({ document }) => `${document.kind}/${document.namespace}/${document.name}`,
    empty: `No policy in "${shown}" matches${blind ? ", or the token may not read it" : ""}. See: inmesh apply --help`,
    columns: [
      { title: "NAMESPACE", cell: ({ document }) => document.namespace },
      { title: "KIND", cell: ({ document }) => document.kind },
      { title: "NAME", cell: ({ document }) => document.name },
      { title: "AGE", cell: ({ document }) => ageOf(document, now) },
      {
        title: "STATE",
        cell: ({ error }) => (error === undefined ? "ok" : `refused ${error.code}`),
        paint: (text, { error }) => cli.paint(error === undefined ? "green" : "red", text),
      },
      { title: "WHERE", cell: ({ document }) => placeOf({ ...document.origin, column: 0 }) },
      { title: "API VERSION", cell: ({ document }) => document.apiVersion, wide: true },
      { title: "HASH", cell: ({ document }) => document.hash.slice(0, 12), wide: true },
    ],
  });
  return EXIT.ok;
}

/** The document with its type and namespace said, so that it means the same wherever it is applied. */
function resourceValue(document: Document, statuses: GatewayStatuses): Record<string, unknown> {
  const { kind, namespace, name, apiVersion, value } = document;
  const metadata = value["metadata"];
  const { apiVersion: _, kind: __, metadata: ___, ...rest } = value;
  const cluster = kind === "Namespace" ? {} : { namespace };
  return {
    apiVersion,
    kind,
    metadata: { name, ...cluster, ...(typeof metadata === "object" ? metadata : {}) },
    ...rest,
    ...statusField(document, statuses),
  };
}

function firstError(problems: readonly Problem[]): Problem | undefined {
  return problems.find(({ severity }) => severity === "error");
}

function ageOf({ value }: Document, now: number): string {
  const metadata = value["metadata"];
  if (typeof metadata !== "object" || metadata === null || !("creationTimestamp" in metadata)) return "";
  const created = Date.parse(String(metadata.creationTimestamp));
  return Number.isNaN(created) ? "" : formatMs(Math.max(0, now - created));
}
