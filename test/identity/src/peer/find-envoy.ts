/** The Envoy to test against. `INMESH_ENVOY` names one; else the installer of `$INMESH_SHARED` (`../shared`) brings it. */

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

type Found = { readonly path: string } | { readonly reason: string };

const REPOSITORY = fileURLToPath(new URL("../../../../", import.meta.url));
let found: Found | undefined;

/**
 * Path of Envoy's binary; undefined, with a word on stderr, where there is none.
 * @param untested what nobody tests then
 * @throws where peers are required (`INMESH_REQUIRE_PEERS=1`)
 */
export function findEnvoy(untested: string): string | undefined {
  found ??= look();
  if ("path" in found) return found.path;
  const advice = `${found.reason}; run ../shared/tools/install-envoy, or name a binary with INMESH_ENVOY`;
  if (process.env["INMESH_REQUIRE_PEERS"] === "1") throw new Error(`Envoy is required for ${untested}, and ${advice}`);
  console.error(`SKIPPED, not tested: ${untested}: ${advice}`);
  return undefined;
}

function look(): Found {
  const named = process.env["INMESH_ENVOY"];
  if (named !== undefined) return runs(named) ? { path: named } : { reason: `INMESH_ENVOY=${named} is no Envoy` };
  const installer = join(process.env["INMESH_SHARED"] ?? join(REPOSITORY, "../shared"), "tools/install-envoy");
  if (!existsSync(installer)) return { reason: `there is no ${installer}` };
  const { status, stdout, stderr } = spawnSync(installer, { encoding: "utf8" });
  return status === 0 ? { path: stdout.trim() } : { reason: stderr.trim() };
}

function runs(path: string): boolean {
  return spawnSync(path, ["--version"], { encoding: "utf8" }).status === 0;
}
