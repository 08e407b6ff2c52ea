export { createHttp2, type MeshHttp2, type MeshSessionManager } from "./http2-functions.js";
