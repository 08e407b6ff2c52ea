import { systemClock } from "@inmesh/core";
import { MeshMetrics, PeerMetadata, workloadLabels } from "@inmesh/telemetry";

/** Of a process that knows nobody else. */
export function meshMetrics(): MeshMetrics {
  return new MeshMetrics({
    self: workloadLabels({ app: "web" }, "web", "shop"),
    service: { host: () => "web.shop.svc.cluster.local", name: "web", namespace: "shop" },
    ...{ principal: () => "", peers: { version: 1, find: () => undefined }, metadata: new PeerMetadata() },
    ...{ maxSeries: undefined, now: () => systemClock.now(), collectors: [] },
  });
}
