/**
 * go-control-plane and grpc-go to test against. `INMESH_GO_PEERS` names the folder of their binaries; else the installer of
 * `$INMESH_SHARED` (`../shared`) makes it.
 */

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export type GoPeer = "ads" | "xclient" | "xserver" | "interop-client" | "interop-server";

const REPOSITORY = fileURLToPath(new URL("../../../../", import.meta.url));
type Found = { readonly folder: string } | { readonly reason: string };

let found: Found | undefined;

/**
 * Path of the binary. Undefined, with a word on stderr, where there is none.
 * @param untested what nobody tests then
 * @throws where peers are required (`INMESH_REQUIRE_PEERS=1`)
 */
export function findGoPeer(peer: GoPeer, untested: string): string | undefined {
  found ??= look();
  if ("folder" in found) return join(found.folder, peer);
  const advice = `${found.reason}; run ../shared/tools/install-go-peers, or name a folder with INMESH_GO_PEERS`;
  if (process.env["INMESH_REQUIRE_PEERS"] === "1")
    throw new Error(`${peer} is required for ${untested}, and ${advice}`);
  console.error(`SKIPPED, not tested: ${untested}: ${advice}`);
  return undefined;
}

function look(): Found {
  const named = process.env["INMESH_GO_PEERS"];
  if (named !== undefined)
    return existsSync(join(named, "ads")) ? { folder: named } : { reason: `${named} has no ads` };
  const installer = join(process.env["INMESH_SHARED"] ?? join(REPOSITORY, "../shared"), "tools/install-go-peers");
  if (!existsSync(installer)) return { reason: `there is no ${installer} (INMESH_SHARED)` };
  const { status, stdout, stderr } = spawnSync(installer, { encoding: "utf8" });
  const folder = stdout.trim().split("\n").at(-1) ?? "";
  return status === 0 && existsSync(join(folder, "ads"))
    ? { folder }
    : { reason: stderr.trim() || `${folder} has no ads` };
}
