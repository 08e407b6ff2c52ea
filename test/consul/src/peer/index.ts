/** Real Consul for tests: found, started on 127.0.0.1, broken in the ways it breaks, ended by its id. */

export { type Certificate, type CertificateAuthority, createAuthority } from "./certificates.js";
export { startClientAgent } from "./client-agent.js";
export { ConsulProcess, type ConsulReply } from "./consul-process.js";
export { type DevAgent, type DevAgentOptions, startDevAgent } from "./dev-agent.js";
export { type ConsulBinary, findConsul, isAtLeast } from "./find-consul.js";
export { freePorts } from "./free-ports.js";
export {
  type Behaviour,
  type Exchange,
  garbage,
  httpStatus,
  only,
  Relay,
  type RelayedRequest,
  reply,
  silent,
  slow,
  truncated,
} from "./relay.js";
export { type Servers, type ServersOptions, startServers } from "./servers.js";
