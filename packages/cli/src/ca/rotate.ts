/** `inmesh ca rotate`: a new intermediate; with `--root` a new root, in two steps. */

import type { AuthorityFolder } from "@inmesh/identity/ca";
import { Command } from "commander";
import type { Cli } from "../cli.js";
import { action, type CommandPorts } from "../command/define.js";
import { CliError, EXIT } from "../exit.js";
import { formatOf } from "../options.js";
import { asked, authorityFolder, type CaOptions, parseTrustDomain, withAuthority } from "./authority.js";
import { printStatus } from "./status.js";
import { unawareProcesses } from "./unaware-processes.js";

interface RotateCommandOptions extends CaOptions {
  readonly root?: boolean;
  readonly force?: boolean;
  readonly rootKey?: string;
  readonly rootOut?: string;
  readonly trustDomain?: string;
}

const EXAMPLES = `
Examples:
  inmesh ca rotate                         a new intermediate; leaves of the old one hold on
  inmesh ca rotate --root                  first: a new root that all trust and that signs nothing yet
  inmesh ca rotate --root                  five minutes later: it signs; the old one is trusted until its leaves are gone
  inmesh ca rotate --root-key root.key     with a root that is kept elsewhere
  inmesh ca rotate --trust-domain b.local  name workloads of this trust domain, too
`;

export function rotateCommand(ports: CommandPorts): Command {
  const command = new Command("rotate")
    .description("replace the intermediate, or with --root the root, while everything goes on")
    .option("--root", "the root: once to make all trust a new one, again to let it sign")
    .option("--force", "let the new root sign although a process may not know it yet")
    .option("--root-key <file>", "key of the root that signs, where it is kept elsewhere")
    .option("--root-out <folder>", "keep the new root's key there instead of beside the intermediate")
    .option("--trust-domain <name>", "name workloads of this trust domain, too", parseTrustDomain)
    .addHelpText("after", EXAMPLES);
  return withAuthority(command).action(
    action<[], RotateCommandOptions>(ports, async (cli, _, options) => {
      const folder = await authorityFolder(options, cli);
      if (options.rootOut !== undefined && options.root !== true)
        throw new CliError(EXIT.usage, "--root-out is for a new root", "Add --root.");
      await asked(() => rotate(folder, options, cli));
      await printStatus(folder, formatOf(options), cli);
      return EXIT.ok;
    }),
  );
}

async function rotate(folder: AuthorityFolder, options: RotateCommandOptions, cli: Cli): Promise<void> {
  const { addRoot, addTrustDomain, noAuthority, rotateIntermediate, useNextRoot } = await import("@inmesh/identity/ca");
  const { readRootKey, writeRoot } = await import("./root-files.js");
  const { root = false, force = false, trustDomain, rootOut } = options;
  if (trustDomain !== undefined) {
    const added = await addTrustDomain(folder, trustDomain);
    cli.note(added ? `Workloads of ${trustDomain} can be named from now on.` : `${trustDomain} was there before.`);
    if (!root) return;
  }
  const loaded = await folder.load();
  if (loaded === undefined) throw noAuthority(folder.directory);
  const rootKey = options.rootKey === undefined ? undefined : await readRootKey(options.rootKey, cli);
  const signing = rootKey && { rootKey };
  if (!root) {
    await rotateIntermediate(folder, { ...signing });
    cli.note("A new intermediate signs from now on. Leaves of the old one hold until they expire.");
    return;
  }
  const next = loaded.roots.find(({ state }) => state === "next");
  if (next === undefined) {
    await addRoot(folder, rootOut === undefined ? {} : { keepRoot: (made) => writeRoot(rootOut, made, cli) });
    cli.note("Every process trusts a new root within seconds. It signs once you run inmesh ca rotate --root again.");
    return;
  }
  if (rootOut !== undefined)
    throw new CliError(EXIT.usage, "the new root is made already", "Leave --root-out away to let it sign.");
  const unaware = force ? [] : await unawareProcesses(options, cli, next.certificate.fingerprint);
  if (unaware.length > 0) {
    throw new CliError(
      EXIT.bad,
      `the new root is not known yet to ${unaware.join(", ")}`,
      "They would refuse what it signs. See inmesh certs, and try again; --force does it all the same.",
    );
  }
  const { oldUntil } = await useNextRoot(folder, { ...signing, force });
  cli.note(
    `The new root signs. The old one is trusted until ${new Date(oldUntil).toISOString()}, when its last leaf is gone.`,
  );
}
