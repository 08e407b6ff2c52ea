/** One program in front of which this command stands: its place in the mesh, its signals, its exit code. */

import { existsSync } from "node:fs";
import { constants } from "node:os";
import { isAbsolute, join, relative, sep } from "node:path";
import type { ServiceRef } from "@inmesh/core";
import { isDnsLabel } from "@inmesh/core/internal";
import { parseDocuments } from "@inmesh/model";
import type { Cli } from "../cli.js";
import { childEnv, registerUrl } from "../dev/child-env.js";
import { parseProcessSpec } from "../dev/process-spec.js";
import { type ChildExitCode, CliError, EXIT, systemReason } from "../exit.js";
import { namespaceOf } from "../options.js";
import { type MeshRegistry, meshRegistry } from "../registry/mesh-registry.js";
import { registryName, schemeOf, shownUrl } from "../registry/registry-name.js";
import { readSettingsFile } from "../registry/settings-file.js";
import { ChildProgram } from "./child-program.js";
import type { RunOptions } from "./command.js";
import { Joining } from "./joining.js";

/** @throws {CliError} when there is nothing to run, or it cannot be started */
export async function runProgram(cli: Cli, words: readonly string[], options: RunOptions): Promise<ChildExitCode> {
  const { io } = cli;
  if (words.length === 0 || (words.length === 1 && words[0] === "--")) {
    throw new CliError(EXIT.usage, "there is nothing to run", "Name the program: inmesh run -- node server.js");
  }
  const file = readSettingsFile(io.cwd);
  const spec = parseProcessSpec(words, io.cwd);
  const service = options.service ?? spec.given ?? (io.env["INMESH_SERVICE"] || file.service || spec.found);
  if (!isDnsLabel(service)) {
    throw new CliError(
      EXIT.usage,
      `"${service}" is no name for a service`,
      "Use lower-case letters, digits and hyphens.",
    );
  }
  const namespace = namespaceOf(options, cli);
  const config = registryOf(options, cli);
  const version = spec.version === undefined ? {} : { INMESH_VERSION: spec.version };
  const settings = { service, namespace, labels: {}, env: { ...spec.env, ...version } };
  const env = childEnv(io.env, { ...settings, ...(config !== undefined && { config }) }, registerUrl());

  const off = env["INMESH_MODE"] === "off";
  const shown = config === undefined ? join("~", ".inmesh", "mesh") : shownPath(config, io.cwd);
  if (off) cli.note("inmesh: INMESH_MODE=off, so the program runs without the mesh");
  else cli.note(`inmesh: ${service} joins namespace ${namespace}, registry ${shown}`);
  const registry = off
    ? undefined
    : await watchedRegistry(cli, config ?? join(homeOf(cli), ".inmesh", "mesh"), { namespace, service });
  const [command = ""] = spec.command;
  const program = new ChildProgram({ command: spec.command, cwd: spec.cwd, env });
  const release = io.takeSignals?.((signal) => program.pass(signal));
  const joining = registry && new Joining({ cli, registry, service, namespace, root: program.pid });
  try {
    const { code, signal, error } = await program.ended;
    if (error !== undefined) {
      const reason = systemReason(error) ?? error.message;
      throw new CliError(EXIT.usage, `"${command}" could not be started: ${reason}`, "Check the name and the path.");
    }
    if (await program.endRest()) cli.note("inmesh: ended what the program had left running");
    if (!off && joining?.joined === false && code === 0) {
      cli.trace("the program neither listened nor called anything, so it never joined the mesh");
    }
    return signal === null ? (code ?? EXIT.bad) : 128 + constants.signals[signal];
  } finally {
    release?.();
    await joining?.close();
  }
}

function homeOf({ io: { env, cwd } }: Cli): string {
  return env["HOME"] || env["USERPROFILE"] || cwd;
}

/** Where the program is looked for, to tell that it has joined. Undefined for a registry that commands cannot read. */
async function watchedRegistry(cli: Cli, config: string, only: ServiceRef): Promise<MeshRegistry | undefined> {
  const scheme = schemeOf(config);
  if (scheme !== undefined && !scheme.startsWith("consul")) return undefined;
  const { clock, env } = cli.io;
  const name = registryName({ config }, cli);
  return meshRegistry(name, { parse: parseDocuments, clock, env, onWarning: () => {}, follow: true, only });
}

function shownPath(path: string, cwd: string): string {
  if (schemeOf(path) !== undefined) return shownUrl(path);
  const inside = relative(cwd, path);
  return inside.startsWith("..") || isAbsolute(inside) ? path : `.${sep}${inside}`;
}

/** As the program would find it, but from here: what it starts may run in another folder. Undefined: that of the home. */
function registryOf({ config }: RunOptions, { io: { env, cwd } }: Cli): string | undefined {
  const named = config ?? (env["INMESH_CONFIG"] || readSettingsFile(cwd).config);
  if (named === undefined) return existsSync(join(cwd, "mesh")) ? join(cwd, "mesh") : undefined;
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(named)) return named;
  const path = isAbsolute(named) ? named : join(cwd, named);
  if (existsSync(path)) return path;
  throw new CliError(
    EXIT.usage,
    `there is no registry "${named}"`,
    `Make the folder first, for instance: mkdir ${named}`,
  );
}
