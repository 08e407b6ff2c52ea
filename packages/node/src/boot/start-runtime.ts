/** The mesh of a process that was started with `--import @inmesh/node/register`. Loaded with the first need of it. */

import Module from "node:module";
import { requireUndici } from "@inmesh/http/require-undici";
import { clusterWorker } from "@inmesh/http/server";
import type { Mesh } from "../mesh.js";
import { DataPlane } from "../plane/data-plane.js";
import type { MeshSettings } from "../settings/resolve-settings.js";
import { drainOnDisconnect } from "./drain-on-disconnect.js";
import { drainOnSignal } from "./drain-on-signal.js";
import { endSignals } from "./end-signals.js";
import type { Pm2 } from "./launch.js";

export interface StartedRuntime {
  readonly plane: DataPlane;
  readonly mesh: Mesh;
}

export function startRuntime(settings: MeshSettings, seams: readonly string[], pm2: Pm2 | undefined): StartedRuntime {
  const plane = new DataPlane({ settings, undici: requireUndici });
  plane.patched = seams;
  let mesh: Mesh | undefined;
  // A process that only observes ends as it would without us: its lease runs out, or is seen to be of nobody.
  if (seams.includes("server") && settings.mode === "on") drainAtEnd(plane, pm2);
  const require = Module.createRequire(import.meta.url);
  // What has to do with OpenTelemetry must be there with the first request. Others need not load it now.
  if (Object.keys(process.env).some((name) => name.startsWith("OTEL_"))) {
    const { openTracing } = require("#tracing") as typeof import("../telemetry/tracing.js");
    openTracing(plane);
  }
  void plane.start();
  return {
    plane,
    get mesh() {
      // The public face brings undici's fetch with it, which most processes do not need.
      if (mesh === undefined) {
        const { ConnectedMesh } = require("#connected-mesh") as typeof import("../connected-mesh.js");
        mesh = new ConnectedMesh(plane, () => {});
      }
      return mesh;
    },
  };
}

function drainAtEnd(plane: DataPlane, pm2: Pm2 | undefined): void {
  const worker = clusterWorker();
  const { drainTimeoutMs } = plane.settings;
  const ending = endSignals({ drainTimeoutMs, pm2, worker: worker !== undefined });
  drainOnSignal(plane, ending);
  if (worker === undefined) return;
  plane.sharesPort = true;
  drainOnDisconnect(worker, plane, ending.limitMs);
}
