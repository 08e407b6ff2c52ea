export { clusterWorker } from "./cluster-worker.js";
export { attachServer, type Enter, enterer, type Handler, type Http2Listener, meshHandler } from "./handler.js";
export { Inbound, type RemotePages } from "./inbound.js";
export type { InboundEngine } from "./inbound-request.js";
export {
  type AnyServer,
  exemptServer,
  isInstrumentedBelow,
  patchServer,
  patchServers,
  type ServerHooks,
} from "./patch-servers.js";
export { noteFastifyRoute, type RoutedRequest } from "./record/fastify-routes.js";
export type { LiveAnswer, LocalAnswer } from "./reject.js";
export type { RequestHead } from "./request-head.js";
export { type Listener, Servers, type ServersOptions } from "./servers.js";
export { type Connection, connectionOf } from "./tls/connection.js";
export type { ServerTlsLimits } from "./tls/limits.js";
export { ServerSecurity, type ServerSecurityOptions } from "./tls/server-security.js";
