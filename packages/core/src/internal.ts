export { type BalancerOptions, createBalancer } from "./balance/create.js";
export { applyHeaderOps } from "./call/request-edit.js";
export { EndpointState } from "./cluster/endpoint-state.js";
export { ATTEMPT_HEADER, TIMEOUT_HEADER } from "./stack/attempt-headers.js";
