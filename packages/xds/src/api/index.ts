export { type ApiResource, apiResourceType } from "./api-resource.js";
export { ApiSource, type ApiSourceOptions } from "./api-source.js";
export { clusterOf, type IstioNode, type IstioNodeFacts, istioNode } from "./istio-node.js";
export { API_KINDS, type ApiKind } from "./kinds.js";
