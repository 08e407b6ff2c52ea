/** `inmesh top`: who calls whom for what, how often and how fast, while it happens. */

import { sleep } from "@inmesh/core";
import { shortHost } from "@inmesh/core/admin";
import { Command, Option } from "commander";
import type { Cli } from "../cli.js";
import { withRemote } from "../command/change.js";
import { action, type CommandPorts } from "../command/define.js";
import { EXIT } from "../exit.js";
import { adminClient } from "../live/admin-client.js";
import { formatOf, parseDuration, withAllNamespaces, withCommon, withRegistry } from "../options.js";
import { formatMs, LIST_FORMATS, printListing } from "../output/format.js";
import { type Column, formatTable } from "../output/table.js";
import { withOpenRegistry } from "../registry/open-registry.js";
import { slowText, type TopRow, TopRows } from "./top-rows.js";
import { type TapOptions, tappedLeases, watchProcesses, withTapFilters } from "./watch.js";

interface TopOptions extends TapOptions {
  /** In ms. */
  readonly interval: number;
  readonly once?: boolean;
}

/** Between two pictures, in ms. */
const REPAINT_MS = 1_000;
const CLEAR = "\u001b[H\u001b[J";
/** Rows of a picture, where the terminal does not say. */
const USUAL_ROWS = 24;

const EXAMPLES = `
On a terminal it is drawn anew every second until Ctrl-C; into a file or a pipe, with -o json and with --once it is printed once, after
--interval. Each process tells at most 100 calls a second: of busy ones it is a sample, and inmesh stat has all of them.
SLOW says where the time went: "here" in the process that tells of it, which stood still or was busy connecting; "there" at the peer.
Examples:
  inmesh top                    all of the mesh
  inmesh top web --direction outbound
`;

export function topCommand(ports: CommandPorts): Command {
  const command = withTapFilters(
    new Command("top")
      .description("show who calls whom for what, how often and how fast")
      .argument("[process]", "instance or service; without one all processes"),
  )
    .addOption(
      new Option("--interval <duration>", "how long to watch when it is printed once")
        .argParser(parseDuration)
        .default(2_000, "2s"),
    )
    .option("--once", "print once, also on a terminal")
    .addHelpText("after", EXAMPLES);
  return withRemote(withAllNamespaces(withRegistry(withCommon(command, LIST_FORMATS)))).action(
    action<[string | undefined], TopOptions>(ports, (cli, [name], options) =>
      withOpenRegistry(options, cli, async (registry) => {
        const leases = tappedLeases(cli, registry, name, options);
        const rows = new TopRows();
        const { io } = cli;
        const over = new AbortController();
        const client = adminClient(cli, options, AbortSignal.any([io.signal, over.signal]));
        const format = formatOf(options);
        const canPaint = io.stdout.isTTY === true && io.env["TERM"] !== "dumb";
        const live = canPaint && format === "table" && options.once !== true;
        const watching = watchProcesses(cli, client, leases, options, (event) => {
          if (event.event === "end") rows.add(event);
        });
        const showing = live ? paintUntil(cli, rows, over.signal) : sleep(io.clock, options.interval, io.signal);
        try {
          // Processes that end are no reason to end before the time, unless none can be watched.
          await Promise.race([showing, watching.then(() => showing)]);
        } finally {
          over.abort();
          await watching.catch(() => {});
        }
        print(cli, options, rows.read());
        return EXIT.ok;
      }),
    ),
  );
}

async function paintUntil(cli: Cli, rows: TopRows, signal: AbortSignal): Promise<void> {
  const { clock, signal: interrupted, stdout } = cli.io;
  while (!signal.aborted) {
    const most = ((stdout as { readonly rows?: number }).rows ?? USUAL_ROWS) - 2;
    cli.print(`${CLEAR}${formatTable(rows.read().slice(0, most), columns(cli))}`);
    await sleep(clock, REPAINT_MS, interrupted);
  }
}

function print(cli: Cli, options: TopOptions, rows: readonly TopRow[]): void {
  printListing(cli, formatOf(options), {
    rows,
    columns: columns(cli),
    json: { intervalMs: options.interval, rows: rows.map((row) => ({ ...row, slow: slowText(row) })) },
    name: ({ source, destination }) => `${source} ${destination || "(served)"}`,
    empty: "Nobody called while it was watched.",
  });
}

function columns(cli: Cli): Column<TopRow>[] {
  const right = "right" as const;
  return [
    { title: "SOURCE", cell: ({ source, direction }) => (direction === "outbound" ? source : "") },
    { title: "DESTINATION", cell: (row) => (row.direction === "outbound" ? shortHost(row.destination) : row.source) },
    { title: "METHOD", cell: ({ method }) => method },
    { title: "PATH", cell: ({ path }) => path },
    { title: "COUNT", cell: ({ count }) => `${count}`, align: right },
    { title: "BEST", cell: ({ bestMs }) => formatMs(bestMs), align: right },
    { title: "WORST", cell: ({ worstMs }) => formatMs(worstMs), align: right },
    { title: "LAST", cell: ({ lastMs }) => formatMs(lastMs), align: right },
    {
      title: "SUCCESS",
      cell: ({ count, failures }) => `${(((count - failures) / count) * 100).toFixed(1)}%`,
      align: right,
      paint: (text, { failures }) => (failures > 0 ? cli.paint("red", text) : text),
    },
    { title: "SLOW", cell: slowText, paint: (text) => (text.startsWith("here") ? cli.paint("yellow", text) : text) },
    { title: "MEAN", cell: ({ sumMs, count }) => formatMs(sumMs / count), align: right, wide: true },
    { title: "SEEN BY", cell: ({ direction }) => (direction === "outbound" ? "caller" : "called"), wide: true },
  ];
}
