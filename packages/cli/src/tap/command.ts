/** `inmesh tap`: calls and requests of the running processes, while they happen. */

import { tapBeginText, tapText } from "@inmesh/core/admin";
import { Command, InvalidArgumentError } from "commander";
import { stringify } from "yaml";
import type { Cli } from "../cli.js";
import { withRemote } from "../command/change.js";
import { action, type CommandPorts } from "../command/define.js";
import { EXIT } from "../exit.js";
import { adminClient } from "../live/admin-client.js";
import { formatOf, withCommon, withRegistry } from "../options.js";
import { type Format, REPORT_FORMATS } from "../output/format.js";
import { printable } from "../output/paint.js";
import { withOpenRegistry } from "../registry/open-registry.js";
import {
  type TapOptions,
  type Tapped,
  type TappedBegin,
  tappedLeases,
  watchProcesses,
  withTapFilters,
} from "./watch.js";

interface Options extends TapOptions {
  readonly max?: number;
}

const EXAMPLES = `
Each call or request is shown when it is over: > was made, < was served; one that takes longer than a second also while it lasts. At most 100 a second of each process; what is left out is
counted on stderr. No header, body or query is ever shown.
Examples:
  inmesh tap web                          what processes of web call, and are asked
  inmesh tap --to reviews --status error  calls to reviews that failed, whoever made them
  inmesh tap web -o json --max 100        one JSON document a line
`;

export function tapCommand(ports: CommandPorts): Command {
  const command = withTapFilters(
    new Command("tap")
      .description("watch calls and requests while they happen")
      .argument("[process]", "instance or service; without one all processes"),
  )
    .option("--max <number>", "end after so many", mostOf)
    .addHelpText("after", EXAMPLES);
  return withRemote(withRegistry(withCommon(command, REPORT_FORMATS))).action(
    action<[string | undefined], Options>(ports, (cli, [name], options) =>
      withOpenRegistry(options, cli, async (registry) => {
        const leases = tappedLeases(cli, registry, name, options);
        const { max = Number.POSITIVE_INFINITY } = options;
        const format = formatOf(options);
        const { io } = cli;
        const enough = new AbortController();
        const client = adminClient(cli, options, AbortSignal.any([io.signal, enough.signal]));
        cli.trace(`watching ${leases.length} processes`);
        let shown = 0;
        await watchProcesses(cli, client, leases, options, (event) => {
          if (shown >= max) return;
          shown += 1;
          cli.print(textOf(cli, format, event));
          if (shown >= max) enough.abort();
        });
        io.signal.throwIfAborted();
        return EXIT.ok;
      }),
    ),
  );
}

function textOf(cli: Cli, format: Format, event: Tapped | TappedBegin): string {
  if (format === "json") return `${JSON.stringify(event)}\n`;
  if (format === "yaml") return `---\n${stringify(event, { lineWidth: 0 })}`;
  if (event.event === "begin") {
    const line = cli.paint("dim", printable(tapBeginText(event)));
    return `${cli.paint("dim", printable(event.process))} ${line}\n`;
  }
  const failed = event.status >= 500 || event.status === 0 || event.grpcStatus > 0 || event.error !== "";
  const line = printable(tapText(event));
  return `${cli.paint("dim", printable(event.process))} ${failed ? cli.paint("red", line) : line}\n`;
}

function mostOf(given: string): number {
  const most = Number(given);
  if (Number.isInteger(most) && most > 0) return most;
  throw new InvalidArgumentError("Write a whole number, at least 1.");
}
