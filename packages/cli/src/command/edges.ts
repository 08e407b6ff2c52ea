/** `inmesh edges`: who calls whom, how well, whether it is encrypted, and which route of the caller's code is behind it. */

import type { Graph, GraphEdge, Traffic } from "@inmesh/core/admin";
import { shortHost } from "@inmesh/core/admin";
import { Command } from "commander";
import type { Cli } from "../cli.js";
import { EXIT } from "../exit.js";
import { adminClient } from "../live/admin-client.js";
import { readTopology, type Topology } from "../live/topology.js";
import { formatOf } from "../options.js";
import { count, formatMs, printListing } from "../output/format.js";
import { printable } from "../output/paint.js";
import { withOpenRegistry } from "../registry/open-registry.js";
import { action, type CommandPorts } from "./define.js";
import { percent, type StatOptions, trafficColumns, withTraffic } from "./stat.js";

const HELP = `
SECURED is about connections used during --interval. ROUTES are those of the caller's own code on whose behalf it called.
Whoever calls a process of the mesh without a certificate is named below: PeerAuthentication STRICT would refuse them.
`;

export function edgesCommand(ports: CommandPorts): Command {
  const command = new Command("edges").description(
    "show who calls whom, with success, rate and latency, and whether it is encrypted",
  );
  return withTraffic(command, HELP).action(
    action<[], StatOptions>(ports, (cli, _, options) =>
      withOpenRegistry(options, cli, async ({ view: { leases } }) => {
        printEdges(cli, options, await readTopology(cli, adminClient(cli, options), leases, options.interval));
        return EXIT.ok;
      }),
    ),
  );
}

type EdgeRow = Traffic & Omit<GraphEdge, "traffic"> & { readonly destination: string };

function printEdges(cli: Cli, options: StatOptions, { graph, plaintextCallers: all }: Topology): void {
  const { namespace } = options;
  const within = (id: string): boolean => namespace === undefined || id.startsWith(`${namespace}/`);
  const plaintextCallers = all.filter(({ destination }) => within(destination));
  const edges = rowsOf(graph).filter(({ source }) => within(source));
  const { intervalMs } = graph;
  printListing(cli, formatOf(options), {
    rows: edges,
    json: { intervalMs, edges, plaintextCallers },
    name: ({ source, destination }) => `${source} ${destination}`,
    empty: "No process of the mesh has called another yet. See: inmesh status",
    columns: [
      { title: "SRC", cell: ({ source }) => source },
      {
        title: "DST",
        cell: ({ destination, kind }) => `${shortHost(destination)}${kind === "mirror" ? " (copies)" : ""}`,
      },
      ...trafficColumns<EdgeRow>(cli),
      {
        title: "SECURED",
        cell: ({ secured }) => secured ?? "",
        paint: (text, { secured }) => (secured === "no" || secured === "partly" ? cli.paint("yellow", text) : text),
      },
      { title: "RETRY", cell: ({ retryRatio }) => percent(retryRatio, 1), align: "right" },
      {
        title: "ROUTES",
        cell: routesText,
        wide: !edges.some(({ routes }) => routes.some(({ inbound }) => inbound !== "")),
      },
      { title: "CALLS", cell: ({ calls }) => `${calls}`, align: "right", wide: true },
      { title: "FAILED", cell: ({ failures }) => `${failures}`, align: "right", wide: true },
      { title: "IN FLIGHT", cell: ({ inFlight }) => `${inFlight}`, align: "right", wide: true },
      { title: "PLAINTEXT BECAUSE", cell: ({ plaintext }) => plaintext.join("; "), wide: !edges.some(inClear) },
      { title: "HEALTH", cell: ({ health, reasons }) => [health, ...reasons].join("; "), wide: true },
    ],
  });
  for (const { destination, caller, requests, agoMs } of plaintextCallers.slice(0, CALLERS_TOLD)) {
    cli.note(
      `${destination} is called in plaintext by ${caller}: ${count(requests, "request")}, last ${formatMs(agoMs)} ago`,
    );
  }
  const left = plaintextCallers.length - CALLERS_TOLD;
  if (left > 0) cli.note(`and by ${count(left, "other")}: see -o json`);
}

const CALLERS_TOLD = 20;
const ROUTES_TOLD = 3;

function rowsOf({ edges }: Graph): EdgeRow[] {
  return edges.map(({ traffic, ...edge }) => ({ ...edge, destination: edge.host, ...traffic }));
}

/** `/books/:id 80%, /books 20%`. */
function routesText({ routes }: EdgeRow): string {
  const total = routes.reduce((sum, { calls }) => sum + calls, 0);
  const named = routes
    .slice(0, ROUTES_TOLD)
    .map(({ inbound, calls }) => `${inbound === "" ? "(none)" : inbound} ${Math.round((calls / total) * 100)}%`);
  return printable(
    [...named, ...(routes.length > ROUTES_TOLD ? [`${routes.length - ROUTES_TOLD} more`] : [])].join(", "),
  );
}

function inClear({ plaintext }: EdgeRow): boolean {
  return plaintext.length > 0;
}
