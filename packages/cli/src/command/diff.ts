/** `inmesh diff`: what an apply would change, in which fields, whose calls that touches, and what is wrong with it. */

import type { RegistryView } from "@inmesh/core";
import { type Document, type Problem, worstSeverity } from "@inmesh/model";
import { formatPath } from "@inmesh/model/internal";
import { Command, Option } from "commander";
import type { Cli } from "../cli.js";
import { type AffectedHost, affectedHosts } from "../diff/affected-hosts.js";
import { fieldChanges, sameContent } from "../diff/field-changes.js";
import { CliError, EXIT, type ExitCode } from "../exit.js";
import { type Judged, judgeDocuments, judgeTexts } from "../input/judge.js";
import { duplicates, judgeSet } from "../input/judge-set.js";
import { readPolicyTexts } from "../input/policy-texts.js";
import { adminClient } from "../live/admin-client.js";
import { processName } from "../live/processes.js";
import { readTraffic } from "../live/traffic.js";
import {
  collect,
  formatOf,
  namespaceOf,
  parseDuration,
  type RegistryOptions,
  withCommon,
  withRegistry,
} from "../options.js";
import { type Affected, type Change, type Difference, formatDifference } from "../output/difference.js";
import { LIST_FORMATS, printData } from "../output/format.js";
import { isUnicode } from "../output/paint.js";
import { needDocuments } from "../registry/control-plane-limits.js";
import { type OpenRegistry, withOpenRegistry } from "../registry/open-registry.js";
import { workloadsOf } from "../registry/workload.js";
import { withRemote } from "./change.js";
import { action, type CommandPorts } from "./define.js";

interface DiffOptions extends RegistryOptions {
  readonly file: readonly string[];
  /** In ms. */
  readonly interval: number;
  readonly remote?: boolean;
}

const EXAMPLES = `
Examples:
  inmesh diff -f canary.yaml                 before: inmesh apply -f canary.yaml
  inmesh diff -f policy/ -o json             for a pipeline
  inmesh get vs/reviews -o yaml | sed 's/weight: 90/weight: 50/' | inmesh diff -f -

Exit codes: 0 nothing would change, 1 something would, or the new documents have problems of severity error (as diff
and kubectl diff end). Nothing is written. Rates are measured during --interval, where processes can be asked.
`;

export function diffCommand(ports: CommandPorts): Command {
  const command = new Command("diff")
    .description("tell what apply would change, and whose calls that touches; nothing is written")
    .requiredOption("-f, --file <file>", "file, folder, or - for standard input (repeatable)", collect)
    .addOption(
      new Option("--interval <duration>", "how long to measure rates").argParser(parseDuration).default(1_000, "1s"),
    )
    .addHelpText("after", EXAMPLES);
  return withRemote(withRegistry(withCommon(command, LIST_FORMATS))).action(
    action<[], DiffOptions>(ports, async (cli, _, options) => {
      const given = judgeTexts(await readPolicyTexts(options.file, cli), namespaceOf(options, cli));
      if (given.documents.length === 0 && given.problems.length === 0) {
        throw new CliError(
          EXIT.usage,
          `there is no policy document in ${options.file.join(", ")}`,
          "Name other files.",
        );
      }
      return withOpenRegistry(options, cli, async (registry) => {
        needDocuments(registry, "compare with");
        return print(cli, options, await differenceOf(cli, registry, options, given));
      });
    }),
  );
}

async function differenceOf(
  cli: Cli,
  registry: OpenRegistry,
  options: DiffOptions,
  given: Judged,
): Promise<Difference> {
  const { view } = registry;
  const changes = given.documents.map((document) => changeOf(document, view.documents));
  const after = afterApply(view, given.documents);
  const different = changes.filter(({ outcome }) => outcome !== "unchanged");
  const hosts = different.length === 0 ? [] : await affectedHosts(view, after, cli.io.clock);
  const { problems, known } = newProblems(view, after, given);
  return { changes, problems, known, ...(await measured(cli, options, view, hosts)) };
}

function changeOf(document: Document, stored: readonly Document[]): Change {
  const { key, origin } = document;
  const { file, line } = origin;
  const before = stored.find((each) => each.key === key);
  if (before === undefined) return { key, outcome: "created", file, line, fields: [] };
  const fields = fieldChanges(before, document).map(({ path, from, to }) => ({
    path: formatPath(path),
    ...{ from: from ?? null, to: to ?? null },
    line: origin.locate(path).line,
  }));
  return { key, outcome: fields.length === 0 ? "unchanged" : "configured", file, line, fields };
}

/** What does not change stays the same object, so that the compiler keeps what it made of it. */
function afterApply(view: RegistryView, documents: readonly Document[]): RegistryView {
  const given = new Map(documents.map((document) => [document.key, document]));
  const stored = new Set(view.documents.map(({ key }) => key));
  const kept = view.documents.map((before) => {
    const document = given.get(before.key);
    return document === undefined || sameContent(document, before) ? before : withAgeOf(before, document);
  });
  return { ...view, documents: [...kept, ...[...given.values()].filter(({ key }) => !stored.has(key))] };
}

/** An apply keeps the creation time, by which "older wins" is decided. */
function withAgeOf({ value: { metadata: before } }: Document, document: Document): Document {
  if (typeof before !== "object" || before === null || !("creationTimestamp" in before)) return document;
  const { creationTimestamp } = before;
  const { metadata } = document.value;
  const own = typeof metadata === "object" ? metadata : {};
  return { ...document, value: { ...document.value, metadata: { creationTimestamp, ...own } } };
}

/** Problems that the registry does not have today. */
function newProblems(before: RegistryView, after: RegistryView, given: Judged) {
  const workloads = workloadsOf(before);
  const judge = (documents: readonly Document[]): Problem[] => judgeSet(judgeDocuments(documents), workloads);
  const same = ({ code, resource, path, message }: Problem): string => JSON.stringify([code, resource, path, message]);
  const old = new Set(judge(before.documents).map(same));
  const now = judge(after.documents);
  const parsing = given.problems.filter(({ resource }) => resource === ""); // what is no document is in neither set
  const twice = duplicates(given.documents, "apply refuses both. Remove one.");
  const fresh = [...parsing, ...twice, ...now.filter((problem) => !old.has(same(problem)))];
  return { problems: fresh, known: now.length - now.filter((problem) => !old.has(same(problem))).length };
}

/** Adds what flows at the moment. */
async function measured(
  cli: Cli,
  options: DiffOptions,
  { leases }: RegistryView,
  hosts: readonly AffectedHost[],
): Promise<Pick<Difference, "affected" | "unreachable">> {
  const askable = leases.filter(({ admin }) => admin !== undefined);
  if (hosts.length === 0 || askable.length === 0) {
    return { affected: hosts.map((host) => ({ ...host, rps: null, callers: [] })), unreachable: [] };
  }
  const traffic = await readTraffic(adminClient(cli, options), askable, options.interval, cli.io);
  const answered = traffic.failed.length < askable.length;
  const affected = hosts.map((host): Affected => {
    const callers = traffic.edges
      .filter(({ destination, rps }) => destination === host.host && rps > 0)
      .map(({ source, rps }) => ({ source, rps }));
    return { ...host, callers, rps: answered ? callers.reduce((sum, { rps }) => sum + rps, 0) : null };
  });
  const unreachable = traffic.failed.map(({ lease, reason }) => ({ name: processName(lease), reason }));
  return { affected, unreachable };
}

function print(cli: Cli, options: DiffOptions, difference: Difference): ExitCode {
  const format = formatOf(options);
  const { changes, problems, unreachable } = difference;
  const different = changes.filter(({ outcome }) => outcome !== "unchanged");
  for (const { name, reason } of unreachable) cli.warn(`${name} is not counted: ${reason}`);
  if (format === "json" || format === "yaml") printData(cli, format, difference);
  else if (format === "name") cli.print(different.map(({ key }) => `${key}\n`).join(""));
  else cli.print(formatDifference(difference, cli.paint, { wide: format === "wide", unicode: isUnicode(cli.io.env) }));
  if (different.length > 0 && worstSeverity(problems) !== "error") {
    cli.note(`Nothing was written. To do so: inmesh apply -f ${options.file.join(" -f ")}`);
  }
  return different.length > 0 || worstSeverity(problems) === "error" ? EXIT.bad : EXIT.ok;
}
