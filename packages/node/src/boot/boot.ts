/**
 * What happens before the application's first line. Little: the mesh itself is loaded when the first server listens or
 * the first call is made, so that a process which does neither pays next to nothing.
 */

import Module from "node:module";
import { createLog } from "../log.js";
import type { DataPlane } from "../plane/data-plane.js";
import { SEAMS } from "../settings/options.js";
import { type MeshSettings, resolveSettings } from "../settings/resolve-settings.js";
import { VERSION } from "../version.js";
import { type Launch, type Pm2, readLaunch } from "./launch.js";
import { patchSeams } from "./patch-seams.js";
import { isTestRunner } from "./program.js";
import { requireYaml } from "./require-yaml.js";
import { type Runtime, runtimeOf, setRuntime } from "./runtime.js";

export function boot(): void {
  const log = createLog("warn");
  // Before anything is read or touched: the variable is the switch that must always work.
  if (process.env["INMESH_MODE"] === "off" || runtimeOf(globalThis) !== undefined) return;
  let settings: MeshSettings;
  let launch: Launch;
  try {
    launch = readLaunch(process.env, () => process.cwd(), process.argv);
    const { env, cwd, program } = launch;
    settings = resolveSettings({}, { parseYaml: requireYaml, env, cwd, program });
  } catch (error) {
    return log.error(`${error instanceof Error ? error.message : String(error)}. This process runs without the mesh`);
  }
  if (settings.mode === "off") return;
  const seams = settings.patch ?? SEAMS;
  const runtime = createRuntime({ ...settings, lease: settings.lease ?? defaultLease() }, seams, launch.pm2);
  try {
    setRuntime(globalThis, runtime);
  } catch {
    log.warn("globalThis is frozen: registeredMesh() will not find the mesh of this process");
  }
  patchSeams(seams, settings.mode, runtime.plane, (plane) => {
    const require = Module.createRequire(import.meta.url);
    const { grpcClient } = require("#grpc-client") as typeof import("../plane/grpc-client.js");
    return grpcClient(plane);
  });
}

function createRuntime(
  settings: MeshSettings,
  seams: readonly string[],
  pm2: Pm2 | undefined,
): Runtime & { readonly plane: () => DataPlane } {
  let loaded: { readonly plane: DataPlane; readonly mesh: ReturnType<Runtime["mesh"]> } | undefined;
  const load = (): NonNullable<typeof loaded> => {
    if (loaded === undefined) {
      // Synchronous, because a call of http.request must be answered at once. require() of these modules is the
      // import of them: one instance, however they are reached.
      const require = Module.createRequire(import.meta.url);
      const { startRuntime } = require("#start-runtime") as typeof import("./start-runtime.js");
      loaded = startRuntime(settings, seams, pm2);
    }
    return loaded;
  };
  return { version: VERSION, mesh: () => load().mesh, plane: () => load().plane };
}

/** A process of a test runner is no service, and one of Lambda is frozen between events: calling alone is no reason. */
function defaultLease(): "always" | "servers" {
  const { argv, execArgv, env } = process;
  const apart = env["AWS_LAMBDA_FUNCTION_NAME"] !== undefined || isTestRunner(argv[1], execArgv, env);
  return apart ? "servers" : "always";
}
