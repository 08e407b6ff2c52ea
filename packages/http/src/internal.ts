export { HttpClient, type HttpClientOptions } from "./client/client.js";
export { FORWARDED } from "./client/mark.js";
export { Notices } from "./client/notices.js";
export { HttpTransport, type HttpTransportOptions, type Transport } from "./client/transport.js";
export type { Undici } from "./client/undici-module.js";
export { HttpHealthProber, type HttpHealthProberOptions } from "./health/http-health-prober.js";
export { patchHttp } from "./node/patch-http.js";
export { installGlobalDispatcher } from "./undici/global-dispatcher.js";
export { patchUndici } from "./undici/patch-undici.js";
