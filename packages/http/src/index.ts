export { createFetch, type MeshFetch } from "./undici/create-fetch.js";
export { MeshDispatcher, type MeshDispatcherOptions } from "./undici/mesh-dispatcher.js";
