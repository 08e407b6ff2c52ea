/** Consul as a registry. */

export type { ParseDocuments } from "@inmesh/core/internal";
export { type ConsulAnswer, ConsulClient, type ConsulRequest, type RequestFunctions } from "./client/consul-client.js";
export { ConsulError, type ConsulErrorKind } from "./client/consul-error.js";
export { type ConsulTarget, type ConsulTls, shownTarget } from "./client/consul-target.js";
export { isConsulUrl, parseConsulUrl } from "./client/consul-url.js";
export { listConfigEntries } from "./config-entry/list-config-entries.js";
export { ConnectSource, type ConnectSourceOptions } from "./connect/connect-source.js";
export { ConsulRegistry, type ConsulRegistryOptions } from "./consul-registry.js";
export { serviceOfKey } from "./keys.js";
export { ConsulRegistrar, type ConsulRegistrarOptions } from "./registrar/consul-registrar.js";
export { CALLERS_SERVICE } from "./service-name.js";
export { ConsulSource, type ConsulSourceOptions } from "./source/consul-source.js";
export { ConsulStore, type ConsulStoreOptions } from "./store/consul-store.js";
