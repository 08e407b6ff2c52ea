/**
 * Where the services of a session meet: a folder, or a Consul. With a Consul the policy still stands in a folder, so that
 * editing files works as ever: they are brought over.
 */

import { existsSync, mkdirSync, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { type Source, systemRandom } from "@inmesh/core";
import { FolderRegistry } from "@inmesh/core/folder";
import { parseDocuments } from "@inmesh/model";
import type { Cli } from "../cli.js";
import { CliError, EXIT } from "../exit.js";
import type { EventLog } from "./event-log.js";
import type { Reaper } from "./reaper.js";

export interface DevRegistry {
  /** What children get as INMESH_CONFIG. May hold a token. */
  readonly config: string;
  /** For display. */
  readonly shown: string;
  /** Whose files are the policy. */
  readonly folder: string;
  /** Everybody, and the policy in force. */
  readonly source: Source;
  /** Made for this session, and gone after it. */
  readonly ours: boolean;
  /** Once nobody needs it any more. */
  close(): Promise<void>;
  /** For our own last moment. */
  closeSync(): void;
}

export interface DevRegistryOptions {
  /** `--config`, `--registry`. */
  readonly config?: string;
  readonly registry?: string;
  /** Of the services. */
  readonly namespace: string;
  /** Whether a script plays: it finds an empty registry. */
  readonly scripted: boolean;
  /** A folder of the session, which is removed at the end. */
  readonly scratch: string;
  readonly cli: Cli;
  readonly events: EventLog;
  readonly reaper: Reaper;
  readonly signal: AbortSignal;
}

const MESH = "mesh";
/** Where processes of a folder look for its authority. */
const CA_FOLDER = ".ca";
/** MeshConfig's default. */
const TRUST_DOMAIN = "cluster.local";
/** `--registry consul`: one of the session's own. */
const OWN_CONSUL = "consul";

/** @throws {CliError} */
export async function openDevRegistry(options: DevRegistryOptions): Promise<DevRegistry> {
  const named = namedRegistry(options);
  const given = policyFolder(options, named !== undefined);
  const folder = given ?? join(options.scratch, MESH);
  if (given === undefined) mkdirSync(folder);
  if (named === undefined) {
    if (given === undefined) await makeAuthority(folder, options.cli);
    const source = new FolderRegistry({ path: folder, parse: parseDocuments, clock: options.cli.io.clock });
    const nothing = { close: () => Promise.resolve(), closeSync: () => {} };
    return { config: folder, shown: folder, folder, source, ours: given === undefined, ...nothing };
  }
  const { openConsulForDev } = await import("./consul-for-dev.js");
  return openConsulForDev(named === OWN_CONSUL ? undefined : named, folder, options);
}

/** Of certificates in a session. In ms. */
const LEAF_MS = 3_600_000;

/** The authority of a session lives as long as the session: its certificates are for an hour, so that a renewal can be seen. */
async function makeAuthority(folder: string, { io: { clock, env } }: Cli): Promise<void> {
  if (!["", "auto", "ca"].includes(env["INMESH_IDENTITY"] ?? "")) return;
  const { AuthorityFolder, initAuthority } = await import("@inmesh/identity/ca");
  const authority = new AuthorityFolder({ directory: join(folder, CA_FOLDER), clock, random: systemRandom });
  await initAuthority(authority, { trustDomains: [TRUST_DOMAIN], maxTtlMs: LEAF_MS });
}

/** Undefined: a folder. @throws {CliError} */
function namedRegistry({ config, registry, scripted, cli: { io } }: DevRegistryOptions): string | undefined {
  // A story is played in a registry of its own, whatever the variable says.
  const variable = scripted ? undefined : io.env["INMESH_CONFIG"] || undefined;
  const named = registry ?? [config, variable].find((each) => each !== undefined && isUrl(each));
  if (named === undefined || named === OWN_CONSUL || /^consul(\+https)?:\/\//i.test(named)) return named;
  throw new CliError(
    EXIT.usage,
    `--registry "${named.replace(/\/\/.*@/, "//")}" is none that a session can use`,
    "Write --registry consul for a Consul of the session's own, or --registry consul://host:8500 for one that runs; for a folder write --config DIR.",
  );
}

/** @returns undefined: the session makes a folder of its own */
function policyFolder({ config, scripted, cli: { io } }: DevRegistryOptions, inConsul: boolean): string | undefined {
  const variable = scripted || inConsul ? undefined : io.env["INMESH_CONFIG"] || undefined;
  const named = [config, variable].find((each) => each !== undefined && !isUrl(each));
  const shown = named ?? (scripted ? undefined : MESH);
  if (shown === undefined) return undefined;
  const path = isAbsolute(shown) ? shown : join(io.cwd, shown);
  const isFolder = existsSync(path) && statSync(path).isDirectory();
  if (isFolder) return path;
  if (named === undefined) return undefined;
  throw new CliError(
    EXIT.usage,
    `the registry "${named}" is no folder`,
    "inmesh dev needs a folder: create it, or leave --config out.",
  );
}

function isUrl(text: string): boolean {
  return /^[a-z][a-z0-9+.-]+:\/\//i.test(text);
}
