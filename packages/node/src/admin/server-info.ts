/** Who this process is and how it is doing, for the admin endpoint and `mesh.status`. */

import type { ServerInfo } from "@inmesh/core/admin";
import { resourceKey, SCHEMA_VERSION } from "@inmesh/model";
import type { DataPlane } from "../plane/data-plane.js";
import { VERSION } from "../version.js";
import { identityView } from "./certs-view.js";
import { registryOf } from "./health.js";

export function serverInfo(plane: DataPlane): ServerInfo {
  const { settings, pipeline, clock } = plane;
  return {
    inmesh: VERSION,
    schemaVersion: SCHEMA_VERSION,
    node: process.version,
    pid: process.pid,
    namespace: settings.namespace,
    service: settings.service,
    instance: plane.instance,
    labels: { ...settings.labels },
    ...modeInForce(plane),
    uptimeMs: clock.now() - plane.startedAt,
    ports: plane.ports,
    patched: plane.patched,
    state: plane.state,
    registry: registryOf(plane),
    snapshot: { version: pipeline?.version ?? 0, revision: pipeline?.revision ?? "" },
    problems: pipeline?.problems.length ?? 0,
    identity: identityView(plane),
    refusing: plane.security.problems,
  };
}

/** The narrower of the process's own setting and of the MeshMode that means it: neither can widen the other. */
function modeInForce({ settings, store }: DataPlane): Pick<ServerInfo, "mode" | "modeFrom"> {
  const { mode = "on", modeResource } = store.current ?? {};
  if (settings.mode !== "on" && NARROWNESS[settings.mode] >= NARROWNESS[mode]) {
    return { mode: settings.mode, modeFrom: "setting" };
  }
  return { mode, modeFrom: modeResource === undefined ? "default" : resourceKey(modeResource) };
}

const NARROWNESS = { on: 0, observe: 1, off: 2 } as const;
