export { patchHttp } from "./patch-http.js";
