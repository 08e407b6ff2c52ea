/** A real istiod to test against. `INMESH_ISTIOD` names the binary; else it is where the installer of `$INMESH_SHARED` (`../shared`) puts it. */

import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/**
 * Path of the binary. Undefined, with a word on stderr, where there is none: building one takes minutes, so nobody does it here.
 * @param untested what nobody tests then
 * @throws where peers are required (`INMESH_REQUIRE_PEERS=1`)
 */
export function findIstiod(untested: string): string | undefined {
  return find("INMESH_ISTIOD", "istiod-1.26.0/pilot-discovery", "install-istiod", untested);
}

/** Folder of spire-server and spire-agent. Otherwise as `findIstiod`. */
export function findSpire(untested: string): string | undefined {
  return find("INMESH_SPIRE", "spire-1.5.4", "install-spire", untested);
}

/** A real istioctl, to read what a process dumps. Otherwise as `findIstiod`. */
export function findIstioctl(untested: string): string | undefined {
  return find("INMESH_ISTIOCTL", "istioctl-1.26.0/istioctl", "install-istioctl", untested);
}

function find(variable: string, place: string, installer: string, untested: string): string | undefined {
  const { INMESH_TOOLS_DIR, XDG_CACHE_HOME, INMESH_REQUIRE_PEERS } = process.env;
  const tools = INMESH_TOOLS_DIR ?? join(XDG_CACHE_HOME ?? join(homedir(), ".cache"), "inmesh-tools");
  const path = process.env[variable] ?? join(tools, place);
  if (existsSync(path)) return path;
  const reason = `there is no ${path}; run ../shared/tools/${installer}, or name one with ${variable}`;
  if (INMESH_REQUIRE_PEERS === "1") throw new Error(`it is required for ${untested}: ${reason}`);
  console.error(`SKIPPED, not tested: ${untested}: ${reason}`);
  return undefined;
}
