/** `inmesh apply`: validates, refuses what would not work, writes to the registry, and can wait until it is in force. */

import type { ApplyResult, Lease } from "@inmesh/core";
import { type Document, notHonoured, type Problem, schemaVersionNeeded, worstSeverity } from "@inmesh/model";
import { Command } from "commander";
import type { Cli } from "../cli.js";
import { sameContent } from "../diff/field-changes.js";
import { CliError, EXIT, type ExitCode } from "../exit.js";
import { type Judged, judgeTexts } from "../input/judge.js";
import { duplicates } from "../input/judge-set.js";
import { readPolicyTexts } from "../input/policy-texts.js";
import { processName } from "../live/processes.js";
import { collect, formatOf, namespaceOf, withCommon, withRegistry } from "../options.js";
import { CHANGE_FORMATS, printData } from "../output/format.js";
import { withoutOwnStatus } from "../output/gateway-status.js";
import { problemLine, sortProblems, summariseProblems } from "../output/problems.js";
import { configEntryOf } from "../registry/config-entry.js";
import { refuseToWrite } from "../registry/control-plane-limits.js";
import { type OpenRegistry, withOpenRegistry } from "../registry/open-registry.js";
import { type ChangeOptions, finishChange, noteOf, withNote, withWait } from "./change.js";
import { action, type CommandPorts } from "./define.js";

interface ApplyOptions extends ChangeOptions {
  readonly file: readonly string[];
  readonly force?: boolean;
}

const EXAMPLES = `
Examples:
  inmesh apply -f canary.yaml                validate and write
  inmesh apply -f policy/ --wait             and wait until every process runs it
  inmesh apply -f canary.yaml --dry-run      only say what would change
  inmesh apply -f canary.yaml --reason "INC-7: v2 first"   noted beside who and when: inmesh history
  inmesh get vs/reviews -o yaml | sed 's/weight: 90/weight: 50/' | inmesh apply -f -

A document that is not valid is refused, and then nothing is written. With --wait the exit code is 4 when a process
has not taken the change in time; the change stays in the registry.
`;

export function applyCommand(ports: CommandPorts): Command {
  const command = new Command("apply")
    .description("write policy documents to the registry, after validating them")
    .requiredOption("-f, --file <file>", "file, folder, or - for standard input (repeatable)", collect)
    .option("--dry-run", "validate, and say what would change")
    .option("--force", "write even what a running process is too old to understand")
    .addHelpText("after", EXAMPLES);
  return withNote(withWait(withRegistry(withCommon(command, CHANGE_FORMATS), 30_000))).action(
    action<[], ApplyOptions>(ports, async (cli, _, options) => {
      refuseToWrite(cli, options, "apply");
      noteOf(options, cli);
      const judged = judgeTexts(await readPolicyTexts(options.file, cli), namespaceOf(options, cli));
      const problems = [...judged.problems, ...duplicates(judged.documents, "Neither is applied. Remove one.")];
      if (worstSeverity(problems) === "error") return refuse(cli, options, problems);
      if (judged.documents.length === 0) {
        throw new CliError(
          EXIT.usage,
          `there is no policy document in ${options.file.join(", ")}`,
          "Name other files.",
        );
      }
      const found = [...problems, ...judged.resources.flatMap((resource) => notHonoured(resource))];
      const documents = judged.documents.map(withoutOwnStatus);
      return withOpenRegistry(options, cli, (registry) =>
        apply(cli, registry, options, { ...judged, documents, problems: found }),
      );
    }),
  );
}

async function apply(
  cli: Cli,
  registry: OpenRegistry,
  options: ApplyOptions,
  { documents, problems }: Judged,
): Promise<ExitCode> {
  if (options.force !== true) refuseTooNew(documents, registry.view.leases);
  const note = noteOf(options, cli);
  const results = options.dryRun === true ? preview(documents, registry) : await registry.apply(documents, note);
  // Read back: the store writes a creation time, so what is in force has another hash than what was given.
  const stored = options.wait === true ? await registry.list() : [];
  const keys = new Set(documents.map(({ key }) => key));
  const expected = new Map(stored.filter(({ key }) => keys.has(key)).map(({ key, hash }) => [key, hash]));
  return finishChange(cli, registry, options, { results, expected, problems });
}

function refuse(cli: Cli, options: ApplyOptions, problems: readonly Problem[]): ExitCode {
  const format = formatOf(options);
  if (format === "json" || format === "yaml") {
    printData(cli, format, { results: [], dryRun: options.dryRun === true, problems, processes: [] });
  } else {
    for (const problem of sortProblems(problems)) cli.io.stderr.write(`${problemLine(problem, cli.paintNote)}\n`);
  }
  cli.io.stderr.write(`Nothing was written: ${summariseProblems(problems)}. Correct the errors and apply again.\n`);
  return EXIT.bad;
}

/** An older process must never half-understand a newer policy. @throws {CliError} */
export function refuseTooNew(documents: readonly Document[], leases: readonly Lease[]): void {
  for (const { key, kind } of documents) {
    const needed = schemaVersionNeeded(kind);
    const tooOld = leases.filter(({ schemaVersion }) => schemaVersion < needed);
    if (tooOld.length === 0) continue;
    const who = tooOld.map((lease) => `${processName(lease)} (inmesh ${lease.inmeshVersion || "unknown"})`).join(", ");
    throw new CliError(
      EXIT.bad,
      `${key} needs policy schema ${needed}, which ${who} cannot honour`,
      "Nothing was written. Update these processes first, or apply with --force: they keep what they have.",
    );
  }
}

/** What the store would do. */
function preview(documents: readonly Document[], { view }: OpenRegistry): ApplyResult[] {
  return documents.map((document) => {
    const { key } = document;
    const stored = view.documents.find((each) => each.key === key);
    if (stored === undefined || configEntryOf(stored) !== undefined)
      return { key, outcome: "created", where: document.origin.file };
    const same = sameContent(document, stored);
    return { key, outcome: same ? "unchanged" : "configured", where: stored.origin.file };
  });
}
