/** What MeshConfig says about the security of servers. policy-semantics §0.7, §4.1, §4.8. */

import { canonicalJson } from "../document/content-hash.js";
import type { MeshConfigSpec } from "../kind/mesh-config.js";
import type { ExternalAuthorizer, ForwardedClientCert, SecurityPolicy } from "../snapshot/security.js";
import { externalAuthorizers } from "./external-authorizers.js";

export interface SecuritySettings
  extends Pick<
    SecurityPolicy,
    "paths" | "normalises" | "trustDomains" | "trustedProxies" | "forwardedClientCert" | "minTlsVersion"
  > {
  readonly authorizers: readonly ExternalAuthorizer[];
}

const DEFAULT_FORWARDED: ForwardedClientCert = "SANITIZE_SET";

/** @returns `previous` when it says the same */
export function compileSecuritySettings(
  spec: MeshConfigSpec,
  trustDomain: string,
  previous: SecuritySettings | undefined,
): SecuritySettings {
  const { trustDomainAliases = [], pathNormalization, meshMTLS, defaultConfig } = spec;
  const normalization = pathNormalization?.normalization ?? "DEFAULT";
  const settings: SecuritySettings = {
    trustDomains: [...new Set([trustDomain, ...trustDomainAliases.map((alias) => alias.toLowerCase())])],
    paths: normalization === "DEFAULT" ? "BASE" : normalization,
    normalises: pathNormalization?.normalization !== undefined,
    trustedProxies: defaultConfig?.gatewayTopology?.numTrustedProxies ?? 0,
    forwardedClientCert: forwardedClientCert(defaultConfig),
    minTlsVersion: meshMTLS?.minProtocolVersion === "TLSV1_3" ? "TLSv1.3" : "TLSv1.2",
    authorizers: externalAuthorizers(spec),
  };
  return previous !== undefined && canonicalJson(previous) === canonicalJson(settings) ? previous : settings;
}

/** Istio's sidecars listen to `proxyHeaders`, its gateways to `gatewayTopology`: a process of ours is both. */
function forwardedClientCert(config: MeshConfigSpec["defaultConfig"]): ForwardedClientCert {
  const said = [config?.proxyHeaders?.forwardedClientCert, config?.gatewayTopology?.forwardClientCertDetails];
  for (const value of said) if (value !== undefined && value !== "UNDEFINED") return value;
  return DEFAULT_FORWARDED;
}
