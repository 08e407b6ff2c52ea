/** `inmesh ca sign CSR`: a certificate for whoever cannot ask for one himself. The operator says whose it is. */

import { systemRandom } from "@inmesh/core";
import { spiffeId } from "@inmesh/model";
import { Command, Option } from "commander";
import type { Cli } from "../cli.js";
import { action, type CommandPorts } from "../command/define.js";
import { CliError, EXIT } from "../exit.js";
import { readPolicyTexts } from "../input/policy-texts.js";
import { formatOf } from "../options.js";
import { formatMs, printData } from "../output/format.js";
import { asked, authorityDirectory, type CaOptions, parseLife, withAuthority } from "./authority.js";

interface SignOptions extends CaOptions {
  readonly id?: string;
  readonly workload?: string;
  readonly ttl?: number;
}

const EXAMPLES = `
Examples:
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout job.key -subj / -out job.csr
  inmesh ca sign job.csr --workload shop/job > job.pem

The names in the request are passed over: the certificate says what you say here. The key stays where it was made.
`;

export function signCommand(ports: CommandPorts): Command {
  const command = new Command("sign")
    .description("sign a certificate request, for a workload that cannot ask itself")
    .argument("<csr>", "file of the request in PEM, - for standard input")
    .addOption(new Option("--workload <namespace/account>", "whose certificate it is").conflicts("id"))
    .option("--id <spiffe>", "the same as a whole SPIFFE id")
    .option("--ttl <duration>", "how long it holds, at most what the CA allows (default: that)", parseLife)
    .addHelpText("after", EXAMPLES);
  return withAuthority(command).action(
    action<[string], SignOptions>(ports, async (cli, [file], options) => {
      const { FolderAuthority } = await import("@inmesh/identity/ca");
      const { clock } = cli.io;
      const csr = await requestText(file, cli);
      const issued = await asked(async () => {
        const authority = await FolderAuthority.open({
          ...{ directory: authorityDirectory(options, cli), clock, random: systemRandom },
          onWarning: (message) => cli.warn(message),
        });
        return authority.sign(
          csr,
          idOf(options, authority.trustDomains[0] ?? ""),
          options.ttl ?? Number.POSITIVE_INFINITY,
        );
      });
      const { certificateChain, bundles, serial, spiffeId: id, notBefore, notAfter } = issued;
      const lives = notAfter - clock.wallTime();
      if (options.ttl !== undefined && lives < options.ttl - 1_000)
        cli.warn(`it holds for ${formatMs(lives)}: the CA allows no more`);
      const format = formatOf(options);
      if (format === "json" || format === "yaml") {
        const iso = (wallTime: number) => new Date(wallTime).toISOString();
        const roots = [...new Set([...bundles.values()].flat())];
        printData(cli, format, {
          id,
          serial,
          notBefore: iso(notBefore),
          notAfter: iso(notAfter),
          certificateChain,
          roots,
        });
      } else cli.print(certificateChain);
      cli.note(`${id} until ${new Date(notAfter).toISOString()}, serial ${serial}.`);
      return EXIT.ok;
    }),
  );
}

function idOf({ id, workload }: SignOptions, trustDomain: string): string {
  if (id !== undefined) return id;
  const [, namespace, account] = /^([^/\s]+)\/([^/\s]+)$/.exec(workload ?? "") ?? [];
  if (namespace !== undefined && account !== undefined) return spiffeId(trustDomain, namespace, account);
  throw new CliError(
    EXIT.usage,
    "nobody says whose certificate it is",
    "Name the workload: --workload NAMESPACE/ACCOUNT, or --id spiffe://….",
  );
}

async function requestText(file: string, cli: Cli): Promise<string> {
  const [text] = await readPolicyTexts([file], cli);
  return text?.text ?? "";
}
