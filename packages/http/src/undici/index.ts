export { createFetch, type MeshFetch } from "./create-fetch.js";
export { MeshDispatcher, type MeshDispatcherOptions } from "./mesh-dispatcher.js";
