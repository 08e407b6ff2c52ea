/** The Jaeger to test with. `INMESH_JAEGER` names one; else the installer of `$INMESH_SHARED` (`../shared`) brings it. */

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const REPOSITORY = fileURLToPath(new URL("../../../../", import.meta.url));

type Found = { readonly path: string } | { readonly reason: string };

/**
 * Path of Jaeger's all-in-one; undefined, with a word on stderr, where there is none.
 * @param untested what nobody tests then
 * @throws where peers are required (`INMESH_REQUIRE_PEERS=1`)
 */
export function findJaeger(untested: string): string | undefined {
  const found = look();
  if ("path" in found) return found.path;
  const advice = `${found.reason}; run ../shared/tools/install-jaeger, or name a binary with INMESH_JAEGER`;
  if (process.env["INMESH_REQUIRE_PEERS"] === "1") throw new Error(`Jaeger is required for ${untested}, and ${advice}`);
  console.error(`SKIPPED, not tested: ${untested}: ${advice}`);
  return undefined;
}

function look(): Found {
  const named = process.env["INMESH_JAEGER"];
  if (named !== undefined) return runs(named) ? { path: named } : { reason: `INMESH_JAEGER=${named} is no Jaeger` };
  const installer = join(process.env["INMESH_SHARED"] ?? join(REPOSITORY, "../shared"), "tools/install-jaeger");
  if (!existsSync(installer)) return { reason: `there is no ${installer}` };
  const { status, stdout, stderr } = spawnSync(installer, { encoding: "utf8" });
  return status === 0 ? { path: stdout.trim() } : { reason: stderr.trim() };
}

function runs(path: string): boolean {
  return spawnSync(path, ["version"], { encoding: "utf8" }).status === 0;
}
