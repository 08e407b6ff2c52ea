/** What a process counts of its control plane. */

import type { Samples } from "@inmesh/telemetry";
import type { DataPlane } from "../plane/data-plane.js";

/** As Envoy's people call its types; those of Istio by their kinds. */
const SHORT: Readonly<Record<string, string>> = {
  Listener: "lds",
  RouteConfiguration: "rds",
  Cluster: "cds",
  ClusterLoadAssignment: "eds",
  Secret: "sds",
};
const STATES = ["connecting", "fresh", "stale"] as const;

export function xdsSamples({ xds }: DataPlane, samples: Samples): void {
  if (xds === undefined) return;
  for (const state of STATES) {
    samples.add("inmesh_xds_stream_state", ["state", state], xds.status.state === state ? 1 : 0);
  }
  for (const { url, accepted, rejected, bytes } of xds.traffic()) {
    const of = ["type", shortName(url), "direction", "received"];
    samples.add("inmesh_xds_messages_total", [...of, "result", "ack"], accepted);
    samples.add("inmesh_xds_messages_total", [...of, "result", "nack"], rejected);
    samples.add("inmesh_xds_bytes_total", of, bytes);
  }
  const byType = new Map<string, { readonly states: Map<string, number>; updatedAt: number }>();
  for (const { url, state, updatedAt } of xds.resources()) {
    const type = shortName(url);
    const known = byType.get(type) ?? { states: new Map<string, number>(), updatedAt: 0 };
    byType.set(type, known);
    known.states.set(state, (known.states.get(state) ?? 0) + 1);
    known.updatedAt = Math.max(known.updatedAt, updatedAt);
  }
  for (const [type, { states, updatedAt }] of byType) {
    for (const [state, count] of states) {
      samples.add("inmesh_xds_resources", ["type", type, "state", state.toLowerCase()], count);
    }
    if (updatedAt > 0) samples.add("inmesh_xds_last_update_timestamp_seconds", ["type", type], updatedAt / 1_000);
  }
}

function shortName(url: string): string {
  const name = url.slice(Math.max(url.lastIndexOf("/"), url.lastIndexOf(".")) + 1);
  return SHORT[name] ?? name;
}
