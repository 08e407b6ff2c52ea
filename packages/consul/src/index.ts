/** Consul as a registry. */

export { type ConsulAnswer, ConsulClient, type ConsulRequest } from "./client/consul-client.js";
export { ConsulError, type ConsulErrorKind } from "./client/consul-error.js";
export { type ConsulTarget, type ConsulTls, shownTarget } from "./client/consul-target.js";
