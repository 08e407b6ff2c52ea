export { createFetch, type MeshFetch } from "./create-fetch.js";
export { importUndici } from "./import-undici.js";
export { MeshDispatcher, type MeshDispatcherOptions } from "./mesh-dispatcher.js";
