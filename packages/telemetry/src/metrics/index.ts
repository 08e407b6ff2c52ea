export type { Buckets } from "./bounds-for.js";
export type { PeerWorkloads } from "./destination-edges.js";
export { OPEN_METRICS_TYPE, TEXT_TYPE } from "./exposition.js";
export { MeshMetrics, type MeshMetricsOptions, type ReadOptions } from "./mesh-metrics.js";
export { METRICS, type MetricName, type MetricSpec } from "./metric-table.js";
export { ownMetadata, PeerMetadata } from "./peer-metadata.js";
export type { Samples } from "./samples.js";
export { MAX_SERIES } from "./traffic-metrics.js";
export { CLUSTER_LABEL, commonLabels, WORKLOAD_LABEL, type WorkloadLabels, workloadLabels } from "./workload-labels.js";
