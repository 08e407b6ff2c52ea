/**
 * A call's path in the spelling that MeshConfig `pathNormalization` asks for, by default Envoy's BASE: rules are matched by
 * it and the upstream gets it, as from a sidecar. So `/x/../admin` is the rule for `/admin`, whoever wrote it so.
 */

import type { Snapshot } from "@inmesh/model";
import { normalisePath } from "../security/normalise-path.js";

const SLASH = 47;

/**
 * Differs: what Envoy refuses with 400 (`%00`, bytes that are not ASCII) stays as it is, for the client's own library or the
 * server to refuse. So does `*` of OPTIONS, and everything while policy is off.
 */
export function canonicalPath(path: string, { mode, security }: Snapshot): string {
  if (mode !== "on" || path.charCodeAt(0) !== SLASH) return path;
  return normalisePath(path, security.paths) ?? path;
}
