/** Foreign peers for tests of identity: a real Envoy, the machine's openssl, and authorities made by it. */

export {
  type CertificateFiles,
  type ClusterOptions,
  cluster,
  type EnvoyConfiguration,
  type EnvoyTls,
  filter,
  type ListenerOptions,
  listener,
  loopback,
} from "./envoy-config.js";
export { EnvoyProcess } from "./envoy-process.js";
export { findEnvoy } from "./find-envoy.js";
export { type ClientOptions, type Judgement, judge, openssl, sClient } from "./openssl.js";
export { Authority, type AuthorityOptions, type Leaf, type LeafOptions } from "./pki.js";
