/** `inmesh authz suggest`: ALLOW policies written from the calls that were observed, and what they would deny. */

import { stringifyDocument } from "@inmesh/model";
import { Command, Option } from "commander";
import type { Cli } from "../cli.js";
import { withRemote } from "../command/change.js";
import { action, type CommandPorts } from "../command/define.js";
import { CliError, EXIT } from "../exit.js";
import {
  formatOf,
  inNamespace,
  namespaceOf,
  parseDuration,
  type RegistryOptions,
  withAllNamespaces,
  withCommon,
  withRegistry,
} from "../options.js";
import { count, type Format, formatMs, printData } from "../output/format.js";
import { parseServiceName } from "../registry/client-context.js";
import { needDocuments } from "../registry/control-plane-limits.js";
import { withOpenRegistry } from "../registry/open-registry.js";
import { observedServices } from "./observed-services.js";
import { rehearse, type WouldDeny } from "./rehearsal.js";
import { inDryRun, type ObservedService, type Suggestion, suggest } from "./suggestion.js";

interface SuggestOptions extends RegistryOptions {
  readonly remote?: boolean;
  /** In ms. */
  readonly since: number;
  readonly dryRun?: boolean;
}

interface Suggested extends Suggestion {
  readonly seen: ObservedService;
  readonly wouldDeny: readonly WouldDeny[];
}

const EXAMPLES = `
Examples:
  inmesh authz suggest reviews --since 1h               what its callers did in the last hour, as a policy
  inmesh authz suggest --dry-run > mesh/callers.yaml    decides beside what is in force and denies nothing

The policies go to stdout; what they would deny of all that was observed, and who calls in plaintext and can be named by no
policy, to stderr. Segments of paths that name one thing of many are written {*}. Processes remember their callers from their
start on: leave them running for as long as rare calls need.
`;

const FORMATS: readonly Format[] = ["yaml", "json"];
const LINES = 20;

export function suggestCommand(ports: CommandPorts): Command {
  const command = new Command("suggest")
    .description("print ALLOW policies for the calls that were observed, and what these would deny")
    .argument("[service]", "of this service only")
    .addOption(
      new Option("--since <duration>", "calls that came within this time")
        .argParser(parseDuration)
        .default(86_400_000, "1d"),
    )
    .option("--dry-run", "annotate them so that they deny nothing yet")
    .addHelpText("after", EXAMPLES);
  return withRemote(withAllNamespaces(withRegistry(withCommon(command, FORMATS)))).action(
    action<[string | undefined], SuggestOptions>(ports, (cli, [service], options) =>
      withOpenRegistry(options, cli, async (registry) => {
        needDocuments(registry, "rehearse with");
        const wanted = service === undefined ? undefined : parseServiceName(service, namespaceOf(options, cli));
        const isWanted = (lease: { readonly namespace: string; readonly service: string }): boolean =>
          wanted === undefined
            ? inNamespace(options)(lease)
            : lease.namespace === wanted.namespace && lease.service === wanted.service;
        const seen = await observedServices(cli, registry, isWanted, options);
        if (seen.length === 0) {
          throw new CliError(EXIT.bad, "no process that serves is registered there", "See which are: inmesh status");
        }
        const suggestions = seen.map((each) => ({ seen: each, ...suggest(each, options.since) }));
        // Judged as if they were in force, also where they are to be tried first.
        const policies = suggestions.flatMap(({ policy }) => (policy === undefined ? [] : [policy]));
        const suggested: Suggested[] = [];
        for (const each of suggestions) {
          const { policy } = each;
          const wouldDeny = policy === undefined ? [] : await rehearse(cli, registry, each.seen, policies);
          const shown = policy !== undefined && options.dryRun === true ? inDryRun(policy) : policy;
          suggested.push({ ...each, policy: shown, wouldDeny });
        }
        print(cli, options, suggested);
        return suggested.some(({ policy }) => policy !== undefined) ? EXIT.ok : EXIT.bad;
      }),
    ),
  );
}

function print(cli: Cli, options: SuggestOptions, suggested: readonly Suggested[]): void {
  if (formatOf(options) === "json") {
    const services = suggested.map(({ seen, policy, from, wouldDeny, reason }) => ({
      ...{ namespace: seen.namespace, service: seen.service, policy: policy ?? null },
      ...{ from, wouldDeny, reason, beyond: seen.beyond },
    }));
    printData(cli, "json", { sinceMs: options.since, services });
  } else {
    const texts = suggested.flatMap(({ policy }) => (policy === undefined ? [] : [stringifyDocument(policy)]));
    cli.print(texts.join("---\n"));
  }
  for (const each of suggested) tell(cli, each);
}

function tell(cli: Cli, { seen, policy, from, wouldDeny, reason }: Suggested): void {
  const name = `${seen.namespace}/${seen.service}`;
  if (policy === undefined) cli.warn(`${name}: no policy is suggested: ${reason}`);
  else {
    const requests = from.reduce((total, { count: calls }) => total + calls, 0);
    const callers = new Set(from.map(({ caller }) => caller)).size;
    cli.note(`${name}: from ${count(requests, "request")} of ${count(callers, "caller")}`);
  }
  for (const { caller, method, path, count: calls, denied, lastAgoMs } of wouldDeny.slice(0, LINES)) {
    const who = caller === "" ? "a caller in plaintext" : caller;
    const already = denied === calls ? ", as it was" : "";
    cli.note(
      `  would deny${already}: ${method} ${path} from ${who}, ${count(calls, "request")}, last ${formatMs(lastAgoMs)} ago`,
    );
  }
  if (wouldDeny.length > LINES) cli.note(`  and ${wouldDeny.length - LINES} more: see -o json`);
  if (seen.beyond > 0) cli.warn(`${name}: ${count(seen.beyond, "request")} had no place in what was remembered`);
}
