/** `inmesh bug-report`: one file with everything that is needed to understand a mesh, secrets removed. */

import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { Command } from "commander";
import type { Cli } from "../cli.js";
import { withRemote } from "../command/change.js";
import { action, type CommandPorts } from "../command/define.js";
import { CliError, EXIT, systemReason } from "../exit.js";
import { adminClient } from "../live/admin-client.js";
import { findProcesses } from "../live/find-processes.js";
import { formatOf, namespaceOf, type RegistryOptions, withCommon, withRegistry } from "../options.js";
import { count, printData, REPORT_FORMATS } from "../output/format.js";
import { snapshotSeen } from "../registry/client-context.js";
import { withOpenRegistry } from "../registry/open-registry.js";
import { collect, knownSecrets } from "./collect.js";
import { Redactor } from "./redact.js";
import { type TarFile, tarGz } from "./tar.js";

interface BugReportOptions extends RegistryOptions {
  readonly remote?: boolean;
  readonly file?: string;
}

/** Asked of one process after the other would take too long for a large mesh. */
const MOST_PROCESSES = 50;

const EXAMPLES = `
What is in it: versions and system, settings and INMESH_ variables, policy and its problems, the registered processes, and what
each of them says (configuration in force, endpoints, counters, last requests, certificates, events, memory).
What is not: private keys, tokens, passwords, cookies, queries of URLs. They are found by name, by shape and by value, which can
fail: look through it before you give it away.
Examples:
  inmesh bug-report                       everything, into inmesh-bug-report-<time>.tar.gz
  inmesh bug-report web --file web.tar.gz   one service
`;

export function bugReportCommand(ports: CommandPorts): Command {
  const command = new Command("bug-report")
    .description("collect what is needed to understand a problem into one file, with secrets removed")
    .argument("[process]", "instance or service; without one all processes")
    .option("--file <name>", "where to write it")
    .addHelpText("after", EXAMPLES);
  return withRemote(withRegistry(withCommon(command, REPORT_FORMATS), 60_000)).action(
    action<[string | undefined], BugReportOptions>(ports, (cli, [name], options) =>
      withOpenRegistry(options, cli, async (registry) => {
        const found =
          name === undefined
            ? registry.view.leases
            : findProcesses(registry.view.leases, name, namespaceOf(options, cli));
        const leases = found.slice(0, MOST_PROCESSES);
        const redactor = new Redactor(knownSecrets(cli));
        const { problems } = await snapshotSeen(registry, options, cli);
        const client = adminClient(cli, options);
        const { files, missing } = await collect(cli, registry, client, { leases, problems, redactor });
        const path = await write(cli, files, options.file);
        print(cli, options, {
          file: path,
          processes: leases.length,
          leftOut: found.length - leases.length,
          removed: redactor.removed,
          files: files.map((file) => ({ name: file.name, bytes: Buffer.byteLength(file.content) })),
          missing,
        });
        return EXIT.ok;
      }),
    ),
  );
}

interface Report {
  readonly file: string;
  readonly processes: number;
  /** Processes beyond the most that are asked. */
  readonly leftOut: number;
  readonly removed: number;
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  readonly missing: readonly string[];
}

function print(cli: Cli, options: BugReportOptions, report: Report): void {
  const format = formatOf(options);
  const { file, files, processes, leftOut, removed, missing } = report;
  if (format === "json" || format === "yaml") printData(cli, format, report);
  else cli.print(`${file}\n`);
  cli.note(
    `${count(files.length, "file")} about ${count(processes, "process", "processes")}; ${count(removed, "secret")} removed. Look through it before you give it away.`,
  );
  if (leftOut > 0)
    cli.warn(`${count(leftOut, "process", "processes")} beyond the first ${processes} not asked: name one`);
  for (const each of missing.slice(0, 5)) cli.warn(`not in it: ${each}`);
  if (missing.length > 5) cli.note(`and ${count(missing.length - 5, "other page")}: see missing.json in it`);
}

/** For its owner only, and over nothing that exists. @throws {CliError} */
async function write({ io }: Cli, files: readonly TarFile[], wanted: string | undefined): Promise<string> {
  const now = io.clock.wallTime();
  const stamp = new Date(now).toISOString().replaceAll(/[-:]|\.\d+/g, "");
  const path = resolve(io.cwd, wanted ?? `inmesh-bug-report-${stamp}.tar.gz`);
  try {
    await writeFile(path, tarGz(files, now), { mode: 0o600, flag: "wx" });
  } catch (error) {
    const reason = systemReason(error as Error) ?? (error as Error).message;
    throw new CliError(EXIT.bad, `${path} cannot be written: ${reason}`, "Name another place with --file.");
  }
  return path;
}
