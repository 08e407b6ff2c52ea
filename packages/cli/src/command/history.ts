/** `inmesh history`: who changed a resource, when and why, and what each change did. */

import type { Revision } from "@inmesh/core";
import { Command } from "commander";
import type { Cli } from "../cli.js";
import { EXIT, type ExitCode } from "../exit.js";
import { revisionFields } from "../history/revision-change.js";
import { type StoredKey, storedKey } from "../input/stored-key.js";
import { formatOf, namespaceOf, type RegistryOptions, withCommon, withRegistry } from "../options.js";
import { type ChangedField, fieldLines } from "../output/difference.js";
import { formatMs, LIST_FORMATS, printListing } from "../output/format.js";
import { isUnicode } from "../output/paint.js";
import { type Column, formatTable } from "../output/table.js";
import { configEntryOf } from "../registry/config-entry.js";
import { refuseToWrite } from "../registry/control-plane-limits.js";
import { type OpenRegistry, withOpenRegistry } from "../registry/open-registry.js";
import { action, type CommandPorts } from "./define.js";
import { notFound } from "./get.js";

interface HistoryOptions extends RegistryOptions {
  readonly diff?: boolean;
}

const EXAMPLES = `
Examples:
  inmesh history vs/reviews -n shop         the changes of one resource, the last one first
  inmesh history vs/reviews --diff          and what each did, field by field
  inmesh history vs/reviews -o json         with the whole text before and after

Changes by apply, delete, mode and rollback are noted, the last 50 of each resource; what was changed by an editor, or by
consul kv put, is not. A resource that was deleted keeps its history. See: inmesh rollback --help
`;

export function historyCommand(ports: CommandPorts): Command {
  const command = new Command("history")
    .description("list the changes of a policy resource: who, when, why")
    .argument("<kind/name>", "KIND/NAME or KIND/NAMESPACE/NAME")
    .argument("[name]", "name, when it stands apart from the kind")
    .option("--diff", "show what each change did, field by field")
    .addHelpText("after", EXAMPLES);
  return withRegistry(withCommon(command, LIST_FORMATS)).action(
    action<[string, string | undefined], HistoryOptions>(ports, async (cli, [target, name], options) => {
      refuseToWrite(
        cli,
        options,
        "history",
        "It tells what is in force and not what was: look where policy is written, such as in git.",
      );
      return withOpenRegistry(options, cli, async (registry) => {
        const text = name === undefined ? target : `${target}/${name}`;
        const { documents } = registry.view;
        const stored = storedKey(text, documents, options.namespace, namespaceOf(options, cli));
        return print(cli, options, registry, stored, await historyOf(registry, stored));
      });
    }),
  );
}

/** @throws {CliError} when there is no such resource, and never was */
export async function historyOf(registry: OpenRegistry, stored: StoredKey): Promise<readonly Revision[]> {
  const revisions = await registry.history(stored.key);
  const { documents } = registry.view;
  if (revisions.length > 0 || documents.some(({ key }) => key === stored.key)) return revisions;
  throw notFound(stored, documents, registry.shown);
}

function print(
  cli: Cli,
  options: HistoryOptions,
  registry: OpenRegistry,
  { key }: StoredKey,
  revisions: readonly Revision[],
): ExitCode {
  const format = formatOf(options);
  const { diff = false } = options;
  const now = cli.io.clock.wallTime();
  const rows = revisions.map((revision) => ({ ...revision, at: new Date(revision.at).toISOString() }));
  const changed = revisions.map(revisionFields);
  if (diff && rows.length > 0 && (format === "table" || format === "wide")) {
    for (const [index, row] of rows.entries()) {
      cli.print(formatTable([row], COLUMNS, { bare: true }));
      cli.print(detailText(cli, row, changed[index] ?? []));
    }
    return EXIT.ok;
  }
  printListing(cli, format, {
    rows,
    json: { resource: key, revisions: diff ? rows.map((row, at) => ({ ...row, fields: changed[at] })) : rows },
    name: ({ id }) => id,
    empty: `No change of ${key} is noted in "${registry.shown}": ${whyNone(registry, key)}.`,
    columns: [...COLUMNS, { title: "AGE", cell: ({ at }) => formatMs(Math.max(0, now - Date.parse(at))), wide: true }],
  });
  return EXIT.ok;
}

/** Where a resource without history comes from. */
export function whyNone({ view }: OpenRegistry, key: string): string {
  const document = view.documents.find((each) => each.key === key);
  const entry = document && configEntryOf(document);
  return entry === undefined ? "it was written by hand" : `it comes from Consul's own config entry ${entry}`;
}

type Row = Omit<Revision, "at"> & { readonly at: string };

const COLUMNS: readonly Column<Row>[] = [
  { title: "ID", cell: ({ id }) => id, align: "right" },
  { title: "WHEN", cell: ({ at }) => at.replace(/\.\d+Z$/, "Z") },
  { title: "WHO", cell: ({ who }) => who },
  { title: "WHAT", cell: ({ outcome }) => outcome },
  { title: "REASON", cell: ({ reason = "" }) => reason },
];

function detailText(cli: Cli, { outcome, omitted = false }: Row, fields: readonly ChangedField[]): string {
  if (omitted) return "    its texts were too large to be kept\n";
  if (outcome !== "configured") return "";
  if (fields.length === 0) return "    no field has another value\n";
  const lines = fieldLines(fields, cli.paint, isUnicode(cli.io.env) ? "→" : "->");
  return lines.map((line) => `${line}\n`).join("");
}
