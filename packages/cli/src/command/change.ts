/** What `apply` and `delete` have in common: saying what changed, and waiting for it to arrive. */

import type { ApplyResult, ChangeNote } from "@inmesh/core";
import type { Problem } from "@inmesh/model";
import { type Command, Option } from "commander";
import type { Cli } from "../cli.js";
import { CliError, EXIT, type ExitCode } from "../exit.js";
import { adminClient } from "../live/admin-client.js";
import { type ProcessState, waitForProcesses } from "../live/wait.js";
import { collect, formatOf, type RegistryOptions } from "../options.js";
import { count, formatMs, printData } from "../output/format.js";
import { problemLine, sortProblems } from "../output/problems.js";
import { formatTable } from "../output/table.js";
import type { OpenRegistry } from "../registry/open-registry.js";

export interface ChangeOptions extends RegistryOptions {
  readonly wait?: boolean;
  readonly dryRun?: boolean;
  readonly remote?: boolean;
  readonly reason?: string;
  readonly as?: string;
}

export interface Change {
  readonly results: readonly ApplyResult[];
  /** Hash by key that every process must come to have; undefined: none. */
  readonly expected: ReadonlyMap<string, string | undefined>;
  readonly problems: readonly Problem[];
}

export function withWait(command: Command): Command {
  return withRemote(command.option("--wait", "wait until every running process has taken the change"));
}

/** `--reason` and `--as`, for what goes into the history. */
export function withNote(command: Command): Command {
  return command
    .option("--reason <text>", "why, for the history")
    .option("--as <who>", "who makes the change, for the history (default: user@host)");
}

/** @throws {CliError} for a name or a reason that is no line of text */
export function noteOf({ as, reason }: Pick<ChangeOptions, "as" | "reason">, { io }: Cli): ChangeNote {
  for (const [option, text] of Object.entries({ "--as": as, "--reason": reason })) {
    if (text === undefined || (text.trim() !== "" && text.length <= MOST_NOTE)) continue;
    const fact = text.trim() === "" ? "is empty" : `has ${text.length} characters, at most ${MOST_NOTE} are kept`;
    throw new CliError(EXIT.usage, `${option} ${fact}`, "Say it in a sentence, or leave it out.");
  }
  return { who: as ?? io.user, ...(reason !== undefined && { reason }) };
}

const MOST_NOTE = 1_000;

export function withRemote(command: Command): Command {
  return command
    .addOption(new Option("--remote", "contact admin endpoints on other machines, too"))
    .addOption(
      new Option(
        "--admin <address>",
        "a process that the registry does not tell of: host:port of its admin endpoint, or unix:/path (repeatable)",
      ).argParser(collect),
    );
}

export async function finishChange(
  cli: Cli,
  registry: OpenRegistry,
  options: ChangeOptions,
  { results, expected, problems }: Change,
): Promise<ExitCode> {
  const format = formatOf(options);
  const table = format !== "json" && format !== "yaml";
  const { dryRun = false, wait = false, timeout } = options;
  for (const problem of sortProblems(problems)) cli.note(problemLine(problem, cli.paintNote));
  if (table) {
    const suffix = dryRun ? " (dry run)" : "";
    for (const { key, outcome, where } of results) {
      cli.print(format === "name" ? `${key}\n` : `${`${key} ${outcome}${suffix}  ${where}`.trimEnd()}\n`);
    }
  }
  const { clock } = cli.io;
  const started = clock.now();
  const processes =
    !wait || dryRun
      ? []
      : await waitForProcesses(registry, adminClient(cli, options), cli.io, {
          ...{ expected, places: results },
          timeoutMs: timeout,
          onSynced: ({ name }) => cli.note(`${name} has it after ${formatMs(clock.now() - started)}`),
        });
  if (!table) printData(cli, format, { results, dryRun, problems, processes });
  if (!wait || dryRun) return EXIT.ok;
  return reportProcesses(cli, processes, format === "table", timeout);
}

function reportProcesses(cli: Cli, processes: readonly ProcessState[], table: boolean, timeoutMs: number): ExitCode {
  if (processes.length === 0) {
    cli.note("No process of this mesh is running; the policy holds as soon as one starts.");
    return EXIT.ok;
  }
  if (table) {
    cli.print(
      formatTable(processes, [
        { title: "PROCESS", cell: ({ name }) => name },
        { title: "SERVICE", cell: ({ service }) => service },
        { title: "CONFIG", cell: configText },
        {
          title: "STATE",
          cell: ({ state }) => state,
          paint: (text, { state }) => cli.paint(state === "synced" ? "green" : "red", text),
        },
      ]),
    );
  }
  const behind = processes.filter(({ state }) => state !== "synced");
  if (behind.length === 0) return EXIT.ok;
  cli.warn(
    `${behind.length} of ${count(processes.length, "process", "processes")} did not take the change within ${formatMs(timeoutMs)}:`,
  );
  for (const { name, reason } of behind) cli.warn(`${name}: ${reason}`);
  cli.warn("The change is in the registry. See: inmesh status");
  return EXIT.timeout;
}

/** `v41 1b20aa34`: the version counts in its process, the revision is the same wherever the policy is the same. */
export function configText({ version, revision }: { readonly version: number; readonly revision: string }): string {
  return version === 0 ? "" : `v${version} ${revision.slice(0, 8)}`;
}
