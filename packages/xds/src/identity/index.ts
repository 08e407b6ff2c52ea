/** Certificates of a control plane, or of an agent on this machine. */

export { CallError, type CallServer } from "./grpc-call.js";
export { type IstioCaAccess, type IstioCaOptions, IstioCaSource, type SigningRequest } from "./istio-ca.js";
export { SpiffeSource, type SpiffeSourceOptions } from "./spiffe-source.js";
export { type JwtSvid, WorkloadApi, type WorkloadApiOptions, type X509Context, type X509Svid } from "./workload-api.js";
