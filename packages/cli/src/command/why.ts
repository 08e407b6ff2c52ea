/** `inmesh why`: the story of one request through all processes that remember it. */

import { hasId, type RememberedOutcome, type StoryNode, type TraceStory, traceStory } from "@inmesh/core/admin";
import { Command } from "commander";
import { CliError, EXIT } from "../exit.js";
import { adminClient } from "../live/admin-client.js";
import { readDumps } from "../live/dumps.js";
import { processName } from "../live/processes.js";
import { dumped, readRemembered } from "../live/remembered.js";
import { collect, formatOf, type RegistryOptions, withCommon, withRegistry } from "../options.js";
import { printData, REPORT_FORMATS } from "../output/format.js";
import { formatStory } from "../output/story.js";
import { withOpenRegistry } from "../registry/open-registry.js";
import { withRemote } from "./change.js";
import { action, type CommandPorts } from "./define.js";

interface WhyOptions extends RegistryOptions {
  readonly dump?: readonly string[];
  readonly remote?: boolean;
}

const HELP = `
Every process keeps its last requests in a ring, and writes them into its state directory when a circuit breaker opens, at its end
and when it crashes; why joins what all of them know. Without an id it takes the last request that failed, with -n of that namespace.

Examples:
  inmesh why                                      the last error
  inmesh why 0af7651916cd43dd8448eb211c80319c     a trace
  inmesh why 6f0c1d5e-8c1b-4a7e-9a53-0d1f6a1b2c3d a request, by its x-request-id
`;

export function whyCommand(ports: CommandPorts): Command {
  const command = new Command("why")
    .description("tell one request's story: who called whom, what went wrong, where the time went")
    .argument("[id]", "trace id or x-request-id (default: the last request that failed)")
    .option("--dump <file>", "read this dump of a flight recorder, too (repeatable)", collect)
    .addHelpText("after", HELP);
  return withRemote(withRegistry(withCommon(command, REPORT_FORMATS))).action(
    action<[string | undefined], WhyOptions>(ports, (cli, [asked], options) =>
      withOpenRegistry(options, cli, async ({ view: { leases } }) => {
        const client = adminClient(cli, options);
        const dumps = dumped(await readDumps(cli.io, options.dump));
        const read = async (query: string): Promise<readonly RememberedOutcome[]> => {
          const { outcomes, failed } = await readRemembered(client, leases, query);
          for (const { lease, reason } of failed) cli.warn(`${processName(lease)} is not asked: ${reason}`);
          return outcomes;
        };
        const byId = async (id: string): Promise<RememberedOutcome[]> => [
          ...(await read(`id=${encodeURIComponent(id)}`)),
          ...dumps.filter(({ outcome }) => hasId(outcome, id)),
        ];
        const found = asked === undefined ? await lastFailure(read, dumps, byId, options.namespace) : await byId(asked);
        const story = traceStory(found);
        if (story === undefined) throw nothing(asked);
        const format = formatOf(options);
        if (format === "json" || format === "yaml") printData(cli, format, { ...story, processes: processesOf(story) });
        else cli.print(formatStory(story, cli.paint));
        return EXIT.ok;
      }),
    ),
  );
}

/** With all that is known by its trace, or by its request id; alone where it has neither. */
async function lastFailure(
  read: (query: string) => Promise<readonly RememberedOutcome[]>,
  dumps: readonly RememberedOutcome[],
  byId: (id: string) => Promise<RememberedOutcome[]>,
  namespace: string | undefined,
): Promise<readonly RememberedOutcome[]> {
  const failures = [...(await read("failed=1&limit=1")), ...dumps.filter(({ outcome }) => outcome.failed)];
  const [last] = failures
    .filter(({ service }) => namespace === undefined || service.startsWith(`${namespace}/`))
    .sort((one, other) => endOf(other) - endOf(one));
  if (last === undefined) return [];
  const { traceId, requestId } = last.outcome;
  const whole = traceId === "" && requestId === "" ? [] : await byId(traceId || requestId);
  return whole.length === 0 ? [last] : whole;
}

function endOf({ outcome: { wallMs, durationMs } }: RememberedOutcome): number {
  return wallMs + durationMs;
}

function nothing(asked: string | undefined): CliError {
  return asked === undefined
    ? new CliError(EXIT.bad, "no process remembers a request that failed", "See what goes on with: inmesh stat")
    : new CliError(
        EXIT.bad,
        `no process remembers a request with the id "${asked}"`,
        "Each keeps its last requests only. Look at the trace's age, and at: inmesh status",
      );
}

function processesOf({ roots }: TraceStory): string[] {
  const all = (node: StoryNode): string[] => [
    node.process,
    ...node.calls.flatMap(all),
    ...node.served.flatMap((each) => all(each.node)),
  ];
  return [...new Set(roots.flatMap(all))].sort();
}
