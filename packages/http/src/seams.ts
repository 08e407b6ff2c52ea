/** What is put into a process before the application's first line. Loads next to nothing until it is used. */

export { patchHttp2 } from "./http2/patch-http2.js";
export { PLAIN_FUNCTIONS, type PlainFunctions } from "./node/http-functions.js";
export { patchHttp } from "./node/patch-http.js";
export { UndiciWatcher } from "./observe/undici-watcher.js";
export { type AnyServer, exemptServer, patchServers, type ServerHooks } from "./server/patch-servers.js";
export { watchFastify } from "./server/record/fastify-routes.js";
export { installGlobalDispatcher } from "./undici/global-dispatcher.js";
export { patchUndici } from "./undici/patch-undici.js";
export { tellOfUnseenUndici } from "./undici/unseen-undici.js";
