/** What stands between this process and its control plane, for `/registry`, `/server_info` and whoever asks for status. */

import type { XdsReading, XdsTypeReading } from "@inmesh/core/admin";
import { getOrMake } from "@inmesh/model/internal";
import type { ResourceStatus } from "@inmesh/xds/client";
import type { DataPlane } from "../plane/data-plane.js";

const TOLD = 20;
/** Problem code of what is passed over. */
const PASSED_OVER = "IM0742";

/** Undefined: its registry is no control plane, or is not open yet. */
export function xdsReading({ xds, pipeline, clock, clientStatusAddress }: DataPlane): XdsReading | undefined {
  if (xds === undefined) return undefined;
  const { server, controlPlane = "" } = xds.status;
  const resources = xds.resources();
  const byType = new Map<string, ResourceStatus[]>();
  for (const resource of resources) getOrMake(byType, typeName(resource.url), () => []).push(resource);
  const now = clock.wallTime();
  const ignored = (pipeline?.problems ?? []).filter(({ code }) => code === PASSED_OVER);
  return {
    ...{ profile: xds.profile, server, controlPlane, node: xds.node.id },
    ...(clientStatusAddress !== undefined && { clientStatus: clientStatusAddress }),
    types: [...byType].map(([type, list]) => typeReading(type, list, now)),
    refused: resources
      .filter(({ state }) => state === "NACKED")
      .slice(0, TOLD)
      .map(({ url, name, error = "" }) => ({ type: typeName(url), name, error })),
    ignored: ignored.slice(0, TOLD).map(({ message }) => message),
  };
}

function typeReading(type: string, resources: readonly ResourceStatus[], now: number): XdsTypeReading {
  const states: Record<string, number> = {};
  let newest: ResourceStatus | undefined;
  for (const resource of resources) {
    states[resource.state] = (states[resource.state] ?? 0) + 1;
    if (resource.updatedAt > (newest?.updatedAt ?? 0)) newest = resource;
  }
  const ageMs = newest === undefined ? -1 : Math.max(0, now - newest.updatedAt);
  return { type, states, version: newest?.version ?? "", ageMs };
}

/** `Cluster` of Envoy's, `VirtualService` of Istio's. */
function typeName(url: string): string {
  return url.slice(Math.max(url.lastIndexOf("/"), url.lastIndexOf(".")) + 1);
}
