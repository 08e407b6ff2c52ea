export { createHttp, createHttps, type HttpFunctions, type HttpRequestFunction } from "./http-functions.js";
export { patchHttp } from "./patch-http.js";
