/**
 * The Consul that `inmesh dev --registry consul` starts: `INMESH_CONSUL_BIN`, else `consul` on the PATH, else one in the
 * tools folder where the tests of this repository put it. In a clone of it their installer is asked last.
 */

import { execFileSync } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { CliError, EXIT } from "../exit.js";
import { PACKAGE } from "../own-files.js";

type Env = Readonly<Record<string, string | undefined>>;

const REPOSITORY = join(PACKAGE, "..", "..");
const REPOSITORY_NAME = "inmesh-monorepo";
/** The installer downloads 22 MB, in ms. */
const INSTALL_MS = 120_000;

const ADVICE =
  "Install it (developer.hashicorp.com/consul/install, or your system's packages) or name the binary: INMESH_CONSUL_BIN=/path/to/consul. A Consul that runs already is named by its address: --registry consul://host:8500.";

/** @param say told before something takes seconds. @throws {CliError} where there is none */
export function findConsul(env: Env, say: (line: string) => void, repository: string = REPOSITORY): string {
  const named = env["INMESH_CONSUL_BIN"];
  if (named) {
    if (isProgram(named)) return named;
    throw new CliError(EXIT.usage, `INMESH_CONSUL_BIN="${named}" is no program that can be run`, ADVICE);
  }
  const folders = [...(env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== ""), ...toolFolders(env)];
  const program = process.platform === "win32" ? "consul.exe" : "consul";
  const found = folders.map((folder) => join(folder, program)).find(isProgram) ?? installed(env, say, repository);
  if (found !== undefined) return found;
  throw new CliError(EXIT.usage, "there is no consul on the PATH, which --registry consul would start", ADVICE);
}

/** Of the newest version first. */
function toolFolders(env: Env): string[] {
  const home = env["HOME"] || env["USERPROFILE"];
  const cache = env["XDG_CACHE_HOME"] || (home && join(home, ".cache"));
  const tools = env["INMESH_TOOLS_DIR"] || (cache && join(cache, "inmesh-tools"));
  if (!tools || !existsSync(tools)) return [];
  return readdirSync(tools)
    .filter((name) => /^consul-\d+\.\d+\.\d+$/.test(name))
    .sort((a, b) => b.localeCompare(a, "en", { numeric: true }))
    .map((name) => join(tools, name));
}

/** Only what belongs to this repository is run: an installed package has nothing beside it that it could trust. */
function installed(env: Env, say: (line: string) => void, repository: string): string | undefined {
  if (!isOurs(repository)) return undefined;
  const installer = join(env["INMESH_SHARED"] || join(repository, "../shared"), "tools/install-consul");
  if (!isProgram(installer)) return undefined;
  say("installing Consul, which takes some seconds");
  try {
    const path = execFileSync(installer, { encoding: "utf8", timeout: INSTALL_MS, env: { ...env } }).trim();
    return isProgram(path) ? path : undefined;
  } catch {
    return undefined; // it says on stderr why
  }
}

function isOurs(repository: string): boolean {
  try {
    return JSON.parse(readFileSync(join(repository, "package.json"), "utf8")).name === REPOSITORY_NAME;
  } catch {
    return false;
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
