export { createEnvoyFeed, type EnvoyFeedOptions } from "./envoy-feed.js";
