/** `inmesh login`: the certificate by which processes on other machines let this user read what they show. */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { Command } from "commander";
import type { Cli } from "../cli.js";
import { action, type CommandPorts } from "../command/define.js";
import { CliError, EXIT } from "../exit.js";
import { type CommonOptions, withSwitches } from "../options.js";
import { forgetOperator, keepOperator, type Operator, operatorOf } from "./operator.js";

interface LoginOptions extends Pick<CommonOptions, "color"> {
  readonly cert?: string;
  readonly key?: string;
  readonly roots?: string;
  readonly out?: boolean;
}

const EXAMPLES = `
Examples:
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout me.key -subj / -out me.csr
  inmesh ca sign me.csr --id spiffe://cluster.local/ns/ops/sa/me > me.pem
  inmesh login --cert me.pem --key me.key --roots roots.pem
  inmesh status --remote

The processes must have remoteAdmin on (INMESH_REMOTE_ADMIN=true), and an AuthorizationPolicy must name /.inmesh/* for you.
`;

export function loginCommand(ports: CommandPorts): Command {
  const command = new Command("login")
    .description("keep a client certificate, by which processes on other machines are asked with --remote")
    .option("--cert <file>", "your certificate and those that issued it, in PEM")
    .option("--key <file>", "its private key, in PEM")
    .option("--roots <file>", "certificates of the authorities that the processes' certificates are below")
    .option("--out", "forget it")
    .addHelpText("after", EXAMPLES);
  return withSwitches(command).action(
    action<[], LoginOptions>(ports, async (cli, _, options) => {
      if (options.out === true) {
        const there = await forgetOperator(cli.io.env);
        cli.note(there ? "Logged out." : "Nobody was logged in.");
        return EXIT.ok;
      }
      const operator = await operatorFrom(options, cli);
      const directory = await keepOperator(cli.io.env, operator);
      const notAfter = new Date(operator.notAfter).toISOString();
      const { id } = operator.identity;
      cli.print(`${id} until ${notAfter}\n`);
      cli.note(`Kept for you alone in ${directory}; --remote uses it from now on.`);
      return EXIT.ok;
    }),
  );
}

async function operatorFrom({ cert, key, roots }: LoginOptions, cli: Cli): Promise<Operator> {
  if (cert === undefined || key === undefined || roots === undefined) {
    throw new CliError(EXIT.usage, "--cert, --key and --roots are needed", "See inmesh login --help.");
  }
  const [certificate, secret, authorities] = await Promise.all([cert, key, roots].map((file) => textOf(file, cli)));
  let operator: Operator;
  let fits: boolean;
  try {
    operator = operatorOf(certificate ?? "", secret ?? "", authorities ?? "");
    fits = new X509Certificate(operator.certificate).checkPrivateKey(createPrivateKey(operator.key));
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    // What OpenSSL says of a key stays here.
    throw new CliError(
      EXIT.usage,
      code === undefined ? message : `${key} is no private key in PEM`,
      "Nothing was kept.",
    );
  }
  if (!fits) throw new CliError(EXIT.usage, `${key} is not the key of ${cert}`, "Nothing was kept.");
  if (operator.notAfter <= cli.io.clock.wallTime()) {
    const when = new Date(operator.notAfter).toISOString();
    throw new CliError(EXIT.usage, `${cert} has expired at ${when}`, "Sign a new one: inmesh ca sign.");
  }
  return operator;
}

async function textOf(file: string, { io: { cwd } }: Cli): Promise<string> {
  try {
    return await readFile(resolve(cwd, file), "utf8");
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    throw new CliError(EXIT.usage, `${file} cannot be read (${code})`, "Name a file that is there.");
  }
}
