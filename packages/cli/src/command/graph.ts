/** `inmesh graph`: services, versions, edges, traffic, security and health, as data or as a picture for a document. */

import type { Graph } from "@inmesh/core/admin";
import { Command, Option } from "commander";
import { EXIT } from "../exit.js";
import { adminClient } from "../live/admin-client.js";
import { readTopology } from "../live/topology.js";
import { type CommonOptions, parseDuration, withAllNamespaces, withRegistry, withSwitches } from "../options.js";
import { printData } from "../output/format.js";
import { dotOf, mermaidOf } from "../output/graph-picture.js";
import { withOpenRegistry } from "../registry/open-registry.js";
import { withRemote } from "./change.js";
import { action, type CommandPorts } from "./define.js";
import type { StatOptions } from "./stat.js";

type GraphFormat = "mermaid" | "dot" | "json" | "yaml";

interface GraphOptions extends Omit<StatOptions, "output"> {
  readonly output: GraphFormat;
}

const HELP = `
An edge is a call or a copy of one; it says how often, how many fail, how long they take (p95), and whether they are encrypted.
With -o json it also says which route of the caller's code is behind it.

Examples:
  inmesh graph > mesh.mmd              for documents that draw Mermaid
  inmesh graph -o dot | dot -Tsvg      Graphviz
  inmesh graph -o json -n shop
`;

export function graphCommand(ports: CommandPorts): Command {
  const command = new Command("graph")
    .description("draw who calls whom, as Mermaid, DOT or JSON")
    .addOption(
      new Option("-o, --output <format>", "how to draw it")
        .choices(["mermaid", "dot", "json", "yaml"])
        .default("mermaid"),
    )
    .addOption(new Option("--json", "the same as -o json"))
    .addOption(new Option("--interval <duration>", "how long to measure").argParser(parseDuration).default(2_000, "2s"))
    .addHelpText("after", HELP);
  return withRemote(withAllNamespaces(withRegistry(withSwitches(command)))).action(
    action<[], GraphOptions & Pick<CommonOptions, "json">>(ports, (cli, _, options) =>
      withOpenRegistry({ ...options, output: "json" }, cli, async ({ view: { leases } }) => {
        const { graph: whole } = await readTopology(cli, adminClient(cli, options), leases, options.interval);
        const graph = options.namespace === undefined ? whole : within(whole, options.namespace);
        const format = options.json === true ? "json" : options.output;
        if (format === "json" || format === "yaml") printData(cli, format, graph);
        else cli.print(format === "dot" ? dotOf(graph) : mermaidOf(graph));
        return EXIT.ok;
      }),
    ),
  );
}

/** What is in a namespace, and what it calls and is called by. */
function within({ nodes, edges, ...graph }: Graph, namespace: string): Graph {
  const inside = (id: string): boolean => id.startsWith(`${namespace}/`);
  const touching = edges.filter(({ source, target }) => inside(source) || inside(target));
  const seen = new Set(touching.flatMap(({ source, target }) => [source, target]));
  return { ...graph, nodes: nodes.filter(({ id }) => inside(id) || seen.has(id)), edges: touching };
}
