export { type ApiResource, apiResourceType } from "./api-resource.js";
export { API_KINDS, type ApiKind } from "./kinds.js";
