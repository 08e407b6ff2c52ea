export { HttpClient, type HttpClientOptions } from "./client/client.js";
export { HttpTransport, type HttpTransportOptions, type Transport } from "./client/transport.js";
export { requireUndici, type Undici } from "./client/undici-module.js";
