export { type ApiResource, apiResourceType } from "./api-resource.js";
export { ApiSource, type ApiSourceOptions } from "./api-source.js";
export type { AssignedEndpoint, Assignment, EndpointGroup } from "./assignment.js";
export { API_KINDS, type ApiKind } from "./kinds.js";
