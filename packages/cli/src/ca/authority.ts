/** Which authority `inmesh ca …` is about, and how its failures end. The library is loaded with the first question. */

import { isAbsolute, join } from "node:path";
import { systemRandom } from "@inmesh/core";
import type { AuthorityFolder } from "@inmesh/identity/ca";
import { type Command, InvalidArgumentError } from "commander";
import type { Cli } from "../cli.js";
import { CliError, EXIT } from "../exit.js";
import { type RegistryOptions, withCommon, withRegistry } from "../options.js";
import { REPORT_FORMATS } from "../output/format.js";
import { registryName } from "../registry/registry-name.js";

export interface CaOptions extends RegistryOptions {
  readonly dir?: string;
}

/** Folder of an authority in that of its registry. */
const CA_FOLDER = ".ca";

export function withAuthority(command: Command): Command {
  return withRegistry(withCommon(command, REPORT_FORMATS)).option(
    "--dir <folder>",
    "the CA's own folder (default: that of INMESH_IDENTITY=ca:DIR, else .ca in the folder of the registry)",
  );
}

/** @throws {CliError} where the registry is no folder and nothing else is said */
export function authorityDirectory(options: CaOptions, cli: Cli): string {
  const { env, cwd } = cli.io;
  const named = options.dir ?? /^ca:(.+)$/.exec(env["INMESH_IDENTITY"] ?? "")?.[1];
  if (named !== undefined) return isAbsolute(named) ? named : join(cwd, named);
  const registry = registryName(options, cli);
  if (registry.kind === "folder") return join(registry.path, CA_FOLDER);
  throw new CliError(
    EXIT.usage,
    `the registry "${registry.shown}" is no folder, so it has no folder of a CA`,
    "Name one: --dir DIR, and point processes to it with INMESH_IDENTITY=ca:DIR.",
  );
}

export async function authorityFolder(options: CaOptions, cli: Cli): Promise<AuthorityFolder> {
  const { AuthorityFolder } = await import("@inmesh/identity/ca");
  const directory = authorityDirectory(options, cli);
  cli.trace(`the CA in ${directory}`);
  return new AuthorityFolder({ directory, clock: cli.io.clock, random: systemRandom });
}

/** What the library says is wrong, as the command says it. */
export async function asked<Result>(work: () => Promise<Result>): Promise<Result> {
  const { AuthorityProblem, SvidProblem } = await import("@inmesh/identity/ca");
  try {
    return await work();
  } catch (error) {
    if (error instanceof AuthorityProblem) {
      // A cause is what the system said: it could not be reached.
      throw new CliError(error.cause === undefined ? EXIT.bad : EXIT.unreachable, error.fact, error.advice);
    }
    if (error instanceof SvidProblem) throw new CliError(EXIT.bad, error.message, "Nothing was issued.");
    throw error;
  }
}

/** `90m`, `24h`, `7d`. @returns ms @throws {InvalidArgumentError} */
export function parseLife(text: string): number {
  const [, number, unit = "s"] = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text) ?? [];
  const ms = Number(number) * { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit as "s"];
  if (!(ms >= 1_000 && ms <= 90 * 86_400_000)) {
    throw new InvalidArgumentError('Write how long a certificate lives, such as "90m", "24h" or "7d", at most 90d.');
  }
  return ms;
}

/** Lower-case letters, digits, dots, dashes and underscores. @throws {InvalidArgumentError} */
export function parseTrustDomain(text: string): string {
  if (/^[a-z0-9._-]{1,255}$/.test(text)) return text;
  throw new InvalidArgumentError("Write a trust domain such as cluster.local: lower case, no port, no path.");
}
