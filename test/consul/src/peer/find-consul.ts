/**
 * The Consul to test against. `INMESH_CONSUL_BIN` names one; else the installer of `$INMESH_SHARED` (`../shared`) brings
 * the version of `INMESH_CONSUL_VERSION`; else the `consul` on the PATH is taken.
 */

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface ConsulBinary {
  readonly path: string;
  /** `1.8.7` */
  readonly version: string;
}

type Found = ConsulBinary | { readonly reason: string };

const REPOSITORY = fileURLToPath(new URL("../../../../", import.meta.url));
let found: Found | undefined;

/**
 * Undefined, with a word on stderr, where there is none.
 * @param untested what nobody tests then
 * @throws where peers are required (`INMESH_REQUIRE_PEERS=1`)
 */
export function findConsul(untested: string): ConsulBinary | undefined {
  found ??= look();
  if ("path" in found) return found;
  const { reason } = found;
  const advice = `${reason}; run ../shared/tools/install-consul, or name a binary with INMESH_CONSUL_BIN`;
  if (process.env["INMESH_REQUIRE_PEERS"] === "1") throw new Error(`Consul is required for ${untested}, and ${advice}`);
  console.error(`SKIPPED, not tested: ${untested}: ${advice}`);
  return undefined;
}

/** Whether it knows what came with a version. @param wanted `1.9` */
export function isAtLeast({ version }: ConsulBinary, wanted: string): boolean {
  const [has, wants] = [version, wanted].map((text) => text.split(".").map(Number));
  for (const [index, part] of (wants ?? []).entries()) {
    const own = has?.[index] ?? 0;
    if (own !== part) return own > part;
  }
  return true;
}

function look(): Found {
  const named = process.env["INMESH_CONSUL_BIN"];
  if (named !== undefined) return versionOf(named) ?? { reason: `INMESH_CONSUL_BIN=${named} is no Consul` };
  const installer = join(process.env["INMESH_SHARED"] ?? join(REPOSITORY, "../shared"), "tools/install-consul");
  if (existsSync(installer)) {
    const { status, stdout, stderr } = spawnSync(installer, { encoding: "utf8" });
    const installed = status === 0 ? versionOf(stdout.trim()) : undefined;
    return installed ?? fromPath() ?? { reason: stderr.trim() };
  }
  return fromPath() ?? { reason: `there is no ${installer} (INMESH_SHARED) and no consul on the PATH` };
}

/** Not in place of another version that was asked for. */
function fromPath(): ConsulBinary | undefined {
  const binary = versionOf("consul");
  const wanted = process.env["INMESH_CONSUL_VERSION"];
  return wanted === undefined || binary?.version === wanted ? binary : undefined;
}

function versionOf(path: string): ConsulBinary | undefined {
  const { status, stdout } = spawnSync(path, ["version"], { encoding: "utf8" });
  const version = status === 0 ? /^Consul v(\d+\.\d+\.\d+)/.exec(stdout)?.[1] : undefined;
  return version === undefined ? undefined : { path, version };
}
