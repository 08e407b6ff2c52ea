export { type DescribedResource, describeResource } from "./describe-resource.js";
export { createEnvoyFeed, type EnvoyFeedOptions } from "./envoy-feed.js";
export { envoyJson } from "./envoy-json.js";
export { CLUSTER_IN_USE } from "./envoy-snapshot.js";
export { HOST_IN_USE } from "./route-table.js";
