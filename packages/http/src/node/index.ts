export { createHttp, createHttps, type HttpFunctions, type HttpRequestFunction } from "./http-functions.js";
export { MeshAgent, MeshHttpsAgent } from "./mesh-agent.js";
export { patchHttp } from "./patch-http.js";
