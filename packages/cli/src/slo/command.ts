/** `inmesh slo`: how much of their error budget services have left, and rules that let Prometheus watch it. */

import { messageOf, sleep } from "@inmesh/core";
import { parseDocuments } from "@inmesh/model";
import { Command, Option } from "commander";
import type { Cli } from "../cli.js";
import { withRemote } from "../command/change.js";
import { action, type CommandPorts } from "../command/define.js";
import { CliError, EXIT } from "../exit.js";
import { readPolicyTexts } from "../input/policy-texts.js";
import { type AdminClient, adminClient } from "../live/admin-client.js";
import { processName } from "../live/processes.js";
import {
  type CommonOptions,
  formatOf,
  parseDuration,
  type RegistryOptions,
  withCommon,
  withRegistry,
  withSwitches,
} from "../options.js";
import { LIST_FORMATS, printListing } from "../output/format.js";
import { type OpenRegistry, withOpenRegistry } from "../registry/open-registry.js";
import { burnRate, difference, type Events, eventsOf, readSamples, type Sample } from "./measure.js";
import { type Objective, readObjectives } from "./objective.js";
import { rulesOf } from "./rules.js";

interface SloOptions extends RegistryOptions {
  readonly remote?: boolean;
  readonly interval: number;
}

const HELP = `
BUDGET is what is left if the whole window went as it did since the processes began; BURN NOW is of --interval alone. A burn
rate of 1 spends the budget in exactly its window. Processes keep no history: for burn rates over hours, let Prometheus
have the rules of inmesh slo rules.
`;

export function sloCommand(ports: CommandPorts): Command {
  return new Command("slo")
    .description("show error budgets of OpenSLO documents, and write rules of Prometheus for them")
    .helpCommand(false)
    .addCommand(statusCommand(ports), { isDefault: true })
    .addCommand(rulesCommand(ports))
    .addHelpText("after", HELP);
}

function statusCommand(ports: CommandPorts): Command {
  const command = new Command("status")
    .description("show the error budgets of objectives, from what all processes have counted")
    .argument("<files...>", "OpenSLO documents: files, folders, or - for standard input")
    .addOption(new Option("--interval <duration>", "how long to measure").argParser(parseDuration).default(2_000, "2s"))
    .addHelpText("after", HELP);
  return withRemote(withRegistry(withCommon(command, LIST_FORMATS))).action(
    action<[string[]], SloOptions>(ports, async (cli, [files], options) => {
      const objectives = await read(cli, files);
      return await withOpenRegistry(options, cli, async (registry) => {
        await show(cli, options, objectives, registry);
        return EXIT.ok;
      });
    }),
  );
}

function rulesCommand(ports: CommandPorts): Command {
  const command = new Command("rules")
    .description("write recording and alerting rules of Prometheus for objectives")
    .argument("<files...>", "OpenSLO documents: files, folders, or - for standard input")
    .addHelpText("after", "\nExample:\n  inmesh slo rules slo.yaml > rules.yaml && promtool check rules rules.yaml\n");
  return withSwitches(command).action(
    action<[string[]], CommonOptions>(ports, async (cli, [files]) => {
      cli.print(rulesOf(await read(cli, files)).trimEnd());
      return EXIT.ok;
    }),
  );
}

/** @throws {CliError} when one of them is no objective, or there is none */
async function read(cli: Cli, files: readonly string[]): Promise<readonly Objective[]> {
  const texts = await readPolicyTexts(files, cli);
  const parsed = texts.map(({ file, text }) => parseDocuments(text, { file }));
  const unread = parsed
    .flatMap(({ problems }) => problems)
    .filter(({ code }) => code === "IM0001" || code === "IM0005");
  const { objectives, problems } = readObjectives(parsed.flatMap(({ passedOver }) => passedOver));
  const told = [...unread.map(({ file, line, message }) => `${file}:${line} ${message}`), ...problems];
  if (told.length > 0) {
    for (const each of told) cli.warn(each);
    throw new CliError(EXIT.bad, "an SLO cannot be measured", "Correct it as the lines above say.");
  }
  if (objectives.length > 0) return objectives;
  throw new CliError(EXIT.bad, "there is no SLO of apiVersion openslo/v1 in them", "See docs/guides/slo.md.");
}

async function show(
  cli: Cli,
  options: SloOptions,
  objectives: readonly Objective[],
  { view: { leases } }: OpenRegistry,
): Promise<void> {
  const client = adminClient(cli, options);
  const { clock, signal } = cli.io;
  const before = await readAll(cli, client, leases);
  await sleep(clock, options.interval, signal);
  const after = await readAll(cli, client, leases);
  if (leases.length > 0 && after.answered === 0)
    throw new CliError(EXIT.unreachable, "no process answers", "Look with: inmesh status");
  const rows = objectives.map((objective) => rowOf(objective, before.samples, after.samples));
  printListing(cli, formatOf(options), {
    rows,
    json: { intervalMs: options.interval, objectives: rows },
    name: ({ slo, objective }) => `${slo} ${objective}`,
    empty: "",
    columns: [
      { title: "SLO", cell: ({ slo }) => slo },
      { title: "OBJECTIVE", cell: ({ objective }) => objective },
      { title: "SERVICE", cell: ({ service }) => service },
      { title: "TARGET", cell: ({ target }) => percent(target), align: "right" },
      { title: "GOOD", cell: ({ good }) => (good === undefined ? "" : percent(good)), align: "right" },
      {
        title: "BUDGET",
        cell: ({ budget }) => (budget === undefined ? "" : percent(budget)),
        align: "right",
        paint: (text, { budget }) => (budget !== undefined && budget <= 0 ? cli.paint("red", text) : text),
      },
      { title: "BURN", cell: ({ burn }) => rateText(burn), align: "right" },
      { title: "BURN NOW", cell: ({ burnNow }) => rateText(burnNow), align: "right" },
      {
        title: "REQUESTS",
        cell: ({ events }) => (events === undefined ? "in Prometheus" : `${events.total}`),
        align: "right",
      },
      { title: "WINDOW", cell: ({ windowMs }) => `${windowMs / 86_400_000}d`, align: "right", wide: true },
    ],
  });
}

interface Read {
  readonly answered: number;
  readonly samples: readonly Sample[];
}

async function readAll(cli: Cli, client: AdminClient, leases: OpenRegistry["view"]["leases"]): Promise<Read> {
  const path = "/stats/prometheus";
  const texts = await Promise.all(
    leases.map(async (lease) => {
      try {
        const admin = await client.addressOf(lease);
        return admin === undefined ? undefined : await client.text(admin, path);
      } catch (error) {
        if (cli.io.signal.aborted) throw error;
        cli.warn(`${processName(lease)} is not counted: ${messageOf(error)}`);
        return undefined;
      }
    }),
  );
  const answers = texts.filter((each) => each !== undefined);
  return { answered: answers.length, samples: answers.flatMap(readSamples) };
}

function rowOf(
  { slo, name, service, target, windowMs, ...rest }: Objective,
  before: readonly Sample[],
  after: readonly Sample[],
) {
  const objective = { slo, name, service, target, windowMs, ...rest };
  const events = eventsOf(objective, after);
  const earlier = eventsOf(objective, before);
  const now: Events | undefined = events && earlier && difference(events, earlier);
  const burn = events && burnRate(events, target);
  return {
    ...{ slo, objective: name, service, target, windowMs, events },
    good: events === undefined || events.total === 0 ? undefined : 1 - events.bad / events.total,
    budget: burn === undefined ? undefined : 1 - burn,
    burn,
    burnNow: now && burnRate(now, target),
  };
}

const percent = (share: number): string => `${Number((share * 100).toFixed(3))}%`;
const rateText = (rate: number | undefined): string =>
  rate === undefined ? "" : Number(rate.toPrecision(3)).toString();
