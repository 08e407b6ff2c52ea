/** `inmesh delete`: takes resources out of the registry, by name or by the file that holds them. */

import type { Document } from "@inmesh/model";
import { Command } from "commander";
import type { Cli } from "../cli.js";
import { CliError, EXIT, type ExitCode } from "../exit.js";
import { judgeTexts } from "../input/judge.js";
import { readPolicyTexts } from "../input/policy-texts.js";
import { parseResourceName } from "../input/resource-name.js";
import { collect, namespaceOf, withCommon, withRegistry } from "../options.js";
import { CHANGE_FORMATS } from "../output/format.js";
import { configEntryAdvice, configEntryOf } from "../registry/config-entry.js";
import { refuseToWrite } from "../registry/control-plane-limits.js";
import { type OpenRegistry, withOpenRegistry } from "../registry/open-registry.js";
import { type ChangeOptions, finishChange, noteOf, withNote, withWait } from "./change.js";
import { action, type CommandPorts } from "./define.js";
import { isWanted, notFound } from "./get.js";

interface DeleteOptions extends ChangeOptions {
  readonly file?: readonly string[];
  readonly ignoreNotFound?: boolean;
}

const EXAMPLES = `
Examples:
  inmesh delete vs/reviews -n shop           one resource
  inmesh delete -f canary.yaml --wait        what a file holds, and wait until no process runs it

What was deleted comes back with: inmesh rollback KIND/NAME
`;

export function deleteCommand(ports: CommandPorts): Command {
  const command = new Command("delete")
    .description("delete policy resources")
    .argument("[names...]", "KIND/NAME or KIND/NAMESPACE/NAME")
    .option("-f, --file <file>", "delete the resources that this file, folder or - holds (repeatable)", collect)
    .option("--ignore-not-found", "succeed when a resource is not there")
    .option("--dry-run", "say what would be deleted")
    .addHelpText("after", EXAMPLES);
  return withNote(withWait(withRegistry(withCommon(command, CHANGE_FORMATS), 30_000))).action(
    action<[string[]], DeleteOptions>(ports, async (cli, [names], options) => {
      refuseToWrite(cli, options, "delete", "Delete it where it was written: kubectl delete, or its own folder.");
      const files = options.file ?? [];
      if (names.length === 0 && files.length === 0) {
        throw new CliError(EXIT.usage, "nothing to delete was named", "Write KIND/NAME, or -f FILE.");
      }
      const { documents: named } = judgeTexts(await readPolicyTexts(files, cli), namespaceOf(options, cli));
      return withOpenRegistry(options, cli, (registry) => remove(cli, registry, options, names, named));
    }),
  );
}

async function remove(
  cli: Cli,
  registry: OpenRegistry,
  options: DeleteOptions,
  names: readonly string[],
  named: readonly Document[],
): Promise<ExitCode> {
  const stored = registry.view.documents;
  const keys = new Set<string>();
  for (const text of names) {
    const found = resolveName(text, stored, options, registry.shown);
    if (found !== undefined) keys.add(found.key);
  }
  for (const { kind, namespace, name, key } of named) {
    if (stored.some((document) => document.key === key)) keys.add(key);
    else if (options.ignoreNotFound !== true) {
      throw notFound({ kind: kind as never, namespace, name }, stored, registry.shown);
    }
  }
  for (const document of stored) if (keys.has(document.key)) refuseConfigEntry(document);
  const note = noteOf(options, cli);
  const results =
    options.dryRun === true
      ? stored
          .filter(({ key }) => keys.has(key))
          .map(({ key, origin }) => ({ key, outcome: "deleted" as const, where: origin.file }))
      : await registry.delete([...keys], note);
  const expected = new Map([...keys].map((key) => [key, undefined]));
  return finishChange(cli, registry, options, { results, expected, problems: [] });
}

/** @throws {CliError} for what is not in the registry's own policy */
function refuseConfigEntry(document: Document): void {
  const entry = configEntryOf(document);
  if (entry === undefined) return;
  const fact = `${document.key} comes from Consul's own config entry ${entry}`;
  throw new CliError(EXIT.bad, fact, configEntryAdvice(entry));
}

/** @throws {CliError} when the name is of none, or of several */
function resolveName(
  text: string,
  stored: readonly Document[],
  { namespace, ignoreNotFound }: DeleteOptions,
  shown: string,
): Document | undefined {
  const query = parseResourceName(text, namespace);
  const { kind, name } = query;
  if (name === undefined) {
    throw new CliError(EXIT.usage, `"${text}" names a kind, and a whole kind is never deleted`, `Write ${kind}/NAME.`);
  }
  const found = stored.filter((document) => isWanted(document, query));
  if (found.length > 1) {
    const places = found.map((document) => `${kind}/${document.namespace}/${name}`).join(", ");
    throw new CliError(EXIT.usage, `"${text}" is there ${found.length} times: ${places}`, "Add -n NAMESPACE.");
  }
  if (found.length === 0 && ignoreNotFound !== true) throw notFound({ ...query, name }, stored, shown);
  return found[0];
}
