export { type DescribedResource, describeResource } from "./describe-resource.js";
export { createEnvoyFeed, type EnvoyFeedOptions } from "./envoy-feed.js";
