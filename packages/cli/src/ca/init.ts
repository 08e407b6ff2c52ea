/** `inmesh ca init`: root and intermediate, before any process makes them. */

import type { InitOptions } from "@inmesh/identity/ca";
import { Command, Option } from "commander";
import type { Cli } from "../cli.js";
import { action, type CommandPorts } from "../command/define.js";
import { CliError, EXIT } from "../exit.js";
import { formatOf } from "../options.js";
import { asked, authorityFolder, type CaOptions, parseLife, parseTrustDomain, withAuthority } from "./authority.js";
import { policyTrustDomain } from "./policy-trust-domain.js";
import { printStatus } from "./status.js";

interface InitCommandOptions extends CaOptions {
  readonly trustDomain?: string;
  readonly maxTtl?: number;
  readonly rootOut?: string;
  readonly rootCert?: string;
  readonly rootKey?: string;
}

const EXAMPLES = `
Examples:
  inmesh ca init                                         root, intermediate and their keys in mesh/.ca
  inmesh ca init --root-out /media/stick/mesh-root       the root's key goes there and nowhere else
  inmesh ca init --root-cert corp.pem --root-key corp.key   a root that you have; its key is read, not kept
`;

export function initCommand(ports: CommandPorts): Command {
  const command = new Command("init")
    .description("make the CA: a root, and an intermediate that signs for the mesh")
    .option(
      "--trust-domain <name>",
      "whose workloads it names (default: trustDomain of mesh.yaml, else cluster.local)",
      parseTrustDomain,
    )
    .addOption(
      new Option("--max-ttl <duration>", "the longest life of a leaf").argParser(parseLife).default(86_400_000, "24h"),
    )
    .option("--root-out <folder>", "keep the root's key there instead of beside the intermediate")
    .option("--root-cert <file>", "certificate of an existing root")
    .option("--root-key <file>", "its key")
    .addHelpText("after", EXAMPLES);
  return withAuthority(command).action(
    action<[], InitCommandOptions>(ports, async (cli, _, options) => {
      const folder = await authorityFolder(options, cli);
      const { initAuthority } = await import("@inmesh/identity/ca");
      const made = await asked(async () => initAuthority(folder, await initOptions(options, cli)));
      if (!made) {
        throw new CliError(
          EXIT.bad,
          `there is a CA in ${folder.directory} already`,
          "See it with inmesh ca status; change it with inmesh ca rotate.",
        );
      }
      const where = options.rootOut ?? options.rootKey;
      if (where !== undefined)
        cli.note(`The root's key is in ${where} only. Keep it offline; inmesh ca rotate asks for it with --root-key.`);
      await printStatus(folder, formatOf(options), cli);
      return EXIT.ok;
    }),
  );
}

async function initOptions(options: InitCommandOptions, cli: Cli): Promise<InitOptions> {
  const { rootCert, rootKey, rootOut, maxTtl } = options;
  if ((rootCert === undefined) !== (rootKey === undefined))
    throw new CliError(
      EXIT.usage,
      "a root is a certificate and its key",
      "Name both: --root-cert FILE --root-key FILE.",
    );
  if (rootCert !== undefined && rootOut !== undefined)
    throw new CliError(
      EXIT.usage,
      "--root-out is for a root that is made",
      "Leave it out: the key of --root-key is not copied.",
    );
  const { readRoot, writeRoot } = await import("./root-files.js");
  const trustDomain = options.trustDomain ?? (await policyTrustDomain(options, cli)) ?? "cluster.local";
  return {
    trustDomains: [trustDomain],
    ...(maxTtl !== undefined && { maxTtlMs: maxTtl }),
    ...(rootCert !== undefined &&
      rootKey !== undefined && { root: await readRoot(rootCert, rootKey, cli), keepRoot: async () => {} }),
    ...(rootOut !== undefined && { keepRoot: (root) => writeRoot(rootOut, root, cli) }),
  };
}
