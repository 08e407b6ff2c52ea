/** `inmesh rollback`: takes a change back, or goes back to an earlier version. That is a change of its own. */

import type { ApplyResult, ChangeNote, Revision } from "@inmesh/core";
import { type Document, notHonoured, type Problem, worstSeverity } from "@inmesh/model";
import { Command } from "commander";
import type { Cli } from "../cli.js";
import { sameContent } from "../diff/field-changes.js";
import { CliError, EXIT, type ExitCode } from "../exit.js";
import { changedFields, documentIn } from "../history/revision-change.js";
import { judgeDocuments } from "../input/judge.js";
import { type StoredKey, storedKey } from "../input/stored-key.js";
import { formatOf, namespaceOf, withCommon, withRegistry } from "../options.js";
import { fieldLines } from "../output/difference.js";
import { CHANGE_FORMATS } from "../output/format.js";
import { isUnicode } from "../output/paint.js";
import { problemLine, sortProblems, summariseProblems } from "../output/problems.js";
import { refuseToWrite } from "../registry/control-plane-limits.js";
import { type OpenRegistry, withOpenRegistry } from "../registry/open-registry.js";
import { refuseTooNew } from "./apply.js";
import { type ChangeOptions, finishChange, noteOf, withNote, withWait } from "./change.js";
import { action, type CommandPorts } from "./define.js";
import { historyOf, whyNone } from "./history.js";

interface RollbackOptions extends ChangeOptions {
  readonly to?: string;
  readonly force?: boolean;
}

const EXAMPLES = `
Examples:
  inmesh rollback vs/reviews -n shop            take the last change back
  inmesh rollback vs/reviews --to 3 --wait      as it was after change 3, and wait until every process runs it
  inmesh rollback vs/reviews --dry-run          only say what would change

Taking back a creation deletes, taking back a deletion restores. A rollback is a change with a record of its own, so it can
be taken back, too; to go further back name the change: inmesh history KIND/NAME
`;

export function rollbackCommand(ports: CommandPorts): Command {
  const command = new Command("rollback")
    .description("take the last change of a policy resource back, or go back to an earlier version")
    .argument("<kind/name>", "KIND/NAME or KIND/NAMESPACE/NAME")
    .argument("[name]", "name, when it stands apart from the kind")
    .option("--to <id>", "go back to what this change made, as inmesh history numbers them")
    .option("--dry-run", "say what would change")
    .option("--force", "write even what a running process is too old to understand")
    .addHelpText("after", EXAMPLES);
  return withNote(withWait(withRegistry(withCommon(command, CHANGE_FORMATS), 30_000))).action(
    action<[string, string | undefined], RollbackOptions>(ports, async (cli, [target, name], options) => {
      refuseToWrite(cli, options, "rollback", "Write the version of before where it reads: kubectl apply -f FILE.");
      noteOf(options, cli);
      return withOpenRegistry(options, cli, async (registry) => {
        const text = name === undefined ? target : `${target}/${name}`;
        const { documents } = registry.view;
        const stored = storedKey(text, documents, options.namespace, namespaceOf(options, cli));
        return rollBack(cli, registry, options, stored, await historyOf(registry, stored));
      });
    }),
  );
}

/** What is to stand there, and how the history will speak of it. */
interface Version {
  /** Undefined: nothing. */
  readonly text: string | undefined;
  readonly reason: string;
}

async function rollBack(
  cli: Cli,
  registry: OpenRegistry,
  options: RollbackOptions,
  { key }: StoredKey,
  revisions: readonly Revision[],
): Promise<ExitCode> {
  if (revisions.length === 0) {
    const fact = `no change of ${key} is noted, so none can be taken back: ${whyNone(registry, key)}`;
    throw new CliError(EXIT.bad, fact, "Apply the version that you want: inmesh apply -f FILE.");
  }
  const { text, reason } = versionOf(key, revisions, options.to);
  const note: ChangeNote = { reason, ...noteOf(options, cli) };
  const now = (await registry.list()).find((document) => document.key === key);
  warnOfOthers(cli, key, now, revisions);
  if (text === undefined) {
    const results = now === undefined ? gone(key) : await removed(registry, options, now, note);
    return finishChange(cli, registry, options, { results, expected: new Map([[key, undefined]]), problems: [] });
  }
  const document = documentIn(text, key);
  if (document === undefined) {
    throw new CliError(
      EXIT.bad,
      `the earlier version of ${key} cannot be read any more`,
      `See it with: inmesh history ${key} -o yaml`,
    );
  }
  const { problems, resources } = judgeDocuments([document]);
  if (worstSeverity(problems) === "error") return refuse(cli, problems);
  if (options.force !== true) refuseTooNew([document], registry.view.leases);
  const results =
    options.dryRun === true ? preview(cli, options, document, now) : await registry.apply([document], note);
  const stored = options.wait === true ? (await registry.list()).find((each) => each.key === key) : undefined;
  return finishChange(cli, registry, options, {
    results,
    expected: new Map([[key, stored?.hash]]),
    problems: [...problems, ...resources.flatMap((resource) => notHonoured(resource))],
  });
}

/** @throws {CliError} when there is no such version */
function versionOf(key: string, revisions: readonly Revision[], to: string | undefined): Version {
  const last = revisions[0]!; // there is one
  const see = `See: inmesh history ${key}`;
  const revision = to === undefined ? last : revisions.find(({ id }) => id === to);
  if (revision === undefined) {
    const kept = `${revisions.at(-1)?.id} to ${last.id}`;
    throw new CliError(EXIT.bad, `there is no change "${to}" of ${key}; kept are ${kept}`, see);
  }
  if (revision.omitted === true) {
    throw new CliError(EXIT.bad, `the texts of change ${revision.id} were too large to be kept`, see);
  }
  return to === undefined
    ? { text: revision.before, reason: `rollback of change ${revision.id}` }
    : { text: revision.after, reason: `rollback to change ${revision.id}` };
}

/** What was changed since the last record, by hand, is lost from the registry by a rollback: it stands in its record. */
function warnOfOthers(cli: Cli, key: string, now: Document | undefined, [last]: readonly Revision[]): void {
  if (last === undefined || last.omitted === true) return;
  const noted = last.after === undefined ? undefined : documentIn(last.after, key);
  const same = now === undefined || noted === undefined ? now === noted : sameContent(now, noted);
  if (!same) cli.warn(`${key} was changed by hand after change ${last.id}; that is taken back, too`);
}

function gone(key: string): ApplyResult[] {
  return [{ key, outcome: "unchanged", where: "" }];
}

async function removed(
  registry: OpenRegistry,
  { dryRun = false }: RollbackOptions,
  { key, origin }: Document,
  note: ChangeNote,
): Promise<readonly ApplyResult[]> {
  return dryRun ? [{ key, outcome: "deleted", where: origin.file }] : registry.delete([key], note);
}

/** What the store would do, and in a table which fields that changes. */
function preview(
  cli: Cli,
  options: RollbackOptions,
  document: Document,
  now: Document | undefined,
): readonly ApplyResult[] {
  const { key } = document;
  if (now === undefined) return [{ key, outcome: "created", where: "" }];
  const fields = changedFields(now, document);
  if (fields.length > 0 && formatOf(options) === "table") {
    const lines = fieldLines(fields, cli.paintNote, isUnicode(cli.io.env) ? "→" : "->");
    for (const line of lines) cli.note(line);
  }
  return [{ key, outcome: fields.length === 0 ? "unchanged" : "configured", where: now.origin.file }];
}

function refuse(cli: Cli, problems: readonly Problem[]): ExitCode {
  for (const problem of sortProblems(problems)) cli.io.stderr.write(`${problemLine(problem, cli.paintNote)}\n`);
  cli.io.stderr.write(
    `Nothing was written: the earlier version is not valid today (${summariseProblems(problems)}). Apply a corrected one.\n`,
  );
  return EXIT.bad;
}
