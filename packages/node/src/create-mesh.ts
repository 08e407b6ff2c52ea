/** A mesh of one's own: nothing global is touched unless option `patch` asks for it, no signal is handled. */

import { readFileSync } from "node:fs";
import { MeshError, messageOf } from "@inmesh/core";
import { importUndici } from "@inmesh/http/undici";
import { readLaunch } from "./boot/launch.js";
import { patchSeams } from "./boot/patch-seams.js";
import { ConnectedMesh } from "./connected-mesh.js";
import type { Mesh } from "./mesh.js";
import { DataPlane } from "./plane/data-plane.js";
import { grpcClient } from "./plane/grpc-client.js";
import type { MeshOptions } from "./settings/options.js";
import { isConsul, isXds } from "./settings/registry-url.js";
import { type MeshSettings, resolveSettings } from "./settings/resolve-settings.js";
import type { ParseYaml } from "./settings/settings-file.js";

/**
 * Resolves as soon as the mesh can take calls; they wait for the first configuration, at most `configWaitMs`.
 * @throws {MeshError} CONFIG_INVALID when an option, a variable or inmesh.yaml cannot be used
 */
export async function createMesh(options: MeshOptions = {}): Promise<Mesh> {
  const { parseDocument } = await import("yaml");
  const settings = readSettings(options, () => parseDocument);
  const { config } = settings;
  // Otherwise nobody would hear of it before the first call.
  if (settings.mode !== "off" && typeof config === "string") await judgeUrl(config);
  const plane = new DataPlane({ settings, undici: importUndici });
  if (settings.mode === "off") return new ConnectedMesh(plane, () => {});
  const undo = patchSeams(settings.patch ?? [], settings.mode, () => plane, grpcClient);
  plane.patched = settings.patch ?? [];
  await plane.start();
  return new ConnectedMesh(plane, undo);
}

async function judgeUrl(config: string): Promise<void> {
  if (isConsul(config)) (await import("@inmesh/consul")).parseConsulUrl(config, process.env);
  if (!isXds(config)) return;
  const { parseXdsTarget } = await import("@inmesh/xds/client");
  parseXdsTarget(config, { env: process.env, readFile: (path) => readFileSync(path, "utf8") });
}

function readSettings(options: MeshOptions, parseYaml: () => ParseYaml): MeshSettings {
  try {
    return resolveSettings(options, { parseYaml, ...readLaunch(process.env, () => process.cwd(), process.argv) });
  } catch (error) {
    throw new MeshError("CONFIG_INVALID", messageOf(error));
  }
}
