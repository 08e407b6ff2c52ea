/** The registry of the mesh: can it be read and written, and is its policy in order? */

import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Cli } from "../cli.js";
import { CliError, systemReason } from "../exit.js";
import { namespaceOf, type RegistryOptions } from "../options.js";
import { count } from "../output/format.js";
import { placeOf, sortProblems } from "../output/problems.js";
import { clientViewSeen } from "../registry/client-context.js";
import type { ClientView } from "../registry/client-view.js";
import { type OpenRegistry, openRegistry } from "../registry/open-registry.js";
import { registryName } from "../registry/registry-name.js";
import { error, type Finding, ok, type Section, warning } from "./section.js";

const LEASES = ".workloads";

/** @returns the registry, still open, when it could be read */
export async function checkRegistry(
  cli: Cli,
  options: RegistryOptions,
): Promise<{ readonly section: Section; readonly registry: OpenRegistry | undefined }> {
  const findings: Finding[] = [];
  const section: Section = { name: "registry", findings };
  let registry: OpenRegistry;
  try {
    registry = await openRegistry(options, cli);
  } catch (failure) {
    if (!(failure instanceof CliError)) throw failure;
    findings.push(error(failure.message, failure.advice));
    return { section, registry: undefined };
  }
  const { documents } = registry.view;
  const isCompiled = registry.profile === "envoy" || registry.profile === "grpc";
  if (!isCompiled) findings.push(ok(`"${registry.shown}" is readable: ${count(documents.length, "document")}`));
  if (registry.staleness !== undefined)
    findings.push(warning(registry.staleness, registry.adviceFor(registry.staleness)));
  const name = registryName(options, cli);
  if (name.kind === "folder") findings.push(...(await writable(name.path, registry.shown)));
  else if (name.kind === "consul") findings.push(await allowed(registry, namespaceOf(options, cli)));
  let seen: ClientView;
  try {
    seen = await clientViewSeen(registry, options, cli);
  } catch (failure) {
    if (!(failure instanceof CliError)) throw failure;
    findings.push(error(failure.message, failure.advice));
    return { section, registry };
  }
  const { snapshot, refused } = seen;
  // Of compiled resources those that are refused are no part of what the snapshot says of itself.
  const all = isCompiled ? [...refused.flatMap(({ problems }) => problems), ...snapshot.problems] : snapshot.problems;
  const bad = sortProblems(all).filter(({ severity }) => severity !== "info");
  for (const problem of bad) {
    const place = placeOf(problem) || problem.resource;
    const make = problem.severity === "error" ? error : warning;
    findings.push(
      make(
        `${problem.code} ${place} ${problem.message}`,
        `See: inmesh help ${problem.code}${isCompiled ? "" : `, and: inmesh analyze ${registry.shown}`}`,
      ),
    );
  }
  if (bad.length === 0)
    findings.push(
      ok(isCompiled ? "nothing of it is refused, and all of it is honoured" : "its policy has no problems"),
    );
  return { section, registry };
}

/** Reading may be all that this command's token is for. */
async function allowed(registry: OpenRegistry, namespace: string): Promise<Finding> {
  const obstacle = await registry.obstacle(namespace);
  const what = `policy of namespace "${namespace}"`;
  if (obstacle === undefined) return ok(`${what} can be changed with this token`);
  return warning(`${what} cannot be changed from here: ${obstacle}`, registry.adviceFor(obstacle));
}

/** Processes register under the folder, and `apply` writes into it. */
async function writable(path: string, shown: string): Promise<Finding[]> {
  const folder = (await stat(path)).isDirectory() ? path : join(path, "..");
  const refusal = await access(folder, constants.W_OK | constants.X_OK).then(
    () => undefined,
    (reason: unknown) => systemReason(reason) ?? String(reason),
  );
  if (refusal !== undefined) {
    return [
      error(`"${shown}" cannot be written: ${refusal}`, "Processes cannot register there. Check its permissions."),
    ];
  }
  const leases = join(folder, LEASES);
  const found = await stat(leases).catch(() => undefined);
  if (found === undefined) return [ok(`"${shown}" is writable`)];
  const blocked = await access(leases, constants.R_OK | constants.W_OK | constants.X_OK).then(
    () => undefined,
    (reason: unknown) => systemReason(reason) ?? String(reason),
  );
  if (blocked !== undefined) {
    return [
      error(
        `"${shown}/${LEASES}" cannot be used: ${blocked}`,
        "It belongs to another user; remove it, or change its owner.",
      ),
    ];
  }
  if (process.platform !== "win32" && (found.mode & 0o077) !== 0) {
    const mode = (found.mode & 0o777).toString(8);
    return [
      warning(
        `"${shown}/${LEASES}" has mode ${mode}: others can see or change who is registered`,
        `Run: chmod 700 ${shown}/${LEASES}`,
      ),
    ];
  }
  return [ok(`"${shown}" is writable`)];
}
