/** MeshConfig with its defaults: what the compiler needs of it. policy-semantics §0.7. */

import type { MeshConfigSpec } from "../kind/mesh-config.js";
import type { Resource } from "../resource.js";
import type { RetryPolicy } from "../snapshot/route.js";
import type { MeshSettings } from "../snapshot/snapshot.js";
import { durationMs } from "./duration-ms.js";
import { CLUSTER_DOMAIN } from "./host.js";
import { compileRetry } from "./retry.js";
import { compileSecuritySettings, type SecuritySettings } from "./security-settings.js";
import { compileTelemetrySettings, type TelemetrySettings } from "./telemetry-settings.js";

export interface CompilerSettings {
  readonly mesh: MeshSettings;
  /** For rules without a `retries` block. */
  readonly defaultRetry: RetryPolicy;
  readonly exportTo: {
    readonly service: readonly string[];
    readonly virtualService: readonly string[];
    readonly destinationRule: readonly string[];
  };
  /** Blocks for clusters that have none of their own. */
  readonly defaultPolicy: NonNullable<MeshConfigSpec["defaultTrafficPolicy"]>;
  /** Of fields that a rule does not set. */
  readonly tcpKeepalive: MeshConfigSpec["tcpKeepalive"];
  /** Of ports that say they are HTTP, where no rule has a say. */
  readonly upgradesToHttp2: boolean;
  /** On unless switched off. */
  readonly localities: NonNullable<MeshConfigSpec["localityLbSetting"]>;
  readonly zoneAware: MeshConfigSpec["zoneAwareLbSetting"];
  readonly security: SecuritySettings;
  readonly telemetry: TelemetrySettings;
  /** Members of the mesh are called over TLS where no rule has a say. On unless switched off. */
  readonly autoMtls: boolean;
}

const EVERYWHERE = ["*"];
const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
const DEFAULT_DNS_REFRESH_MS = 60_000;

/** @param previous parts that say the same keep their object */
export function compileSettings(
  config: Resource<MeshConfigSpec> | undefined,
  previous?: CompilerSettings,
): CompilerSettings {
  const spec = config?.spec ?? {};
  const trustDomain = (spec.trustDomain || CLUSTER_DOMAIN).toLowerCase(); // SPIFFE-ID §2.1
  return {
    mesh: {
      outboundPolicy: outboundPolicy(spec.outboundTrafficPolicy),
      rootNamespace: spec.rootNamespace || "istio-system",
      trustDomain,
      domain: CLUSTER_DOMAIN,
      connectTimeoutMs: durationMs(spec.connectTimeout, DEFAULT_CONNECT_TIMEOUT_MS),
      dnsRefreshMs: durationMs(spec.dnsRefreshRate, DEFAULT_DNS_REFRESH_MS) || DEFAULT_DNS_REFRESH_MS,
    },
    defaultRetry: compileRetry(spec.defaultHttpRetryPolicy, 0),
    exportTo: {
      service: orEverywhere(spec.defaultServiceExportTo),
      virtualService: orEverywhere(spec.defaultVirtualServiceExportTo),
      destinationRule: orEverywhere(spec.defaultDestinationRuleExportTo),
    },
    defaultPolicy: spec.defaultTrafficPolicy ?? {},
    tcpKeepalive: spec.tcpKeepalive,
    upgradesToHttp2: spec.h2UpgradePolicy === "UPGRADE",
    localities: spec.localityLbSetting ?? {},
    zoneAware: spec.zoneAwareLbSetting,
    autoMtls: spec.enableAutoMtls !== false,
    security: compileSecuritySettings(spec, trustDomain, previous?.security),
    telemetry: compileTelemetrySettings(spec, previous?.telemetry),
  };
}

/** A block without a mode is the protobuf's zero value, as istiod takes it. */
function outboundPolicy(spec: MeshConfigSpec["outboundTrafficPolicy"]): MeshSettings["outboundPolicy"] {
  return spec !== undefined && (spec.mode ?? "REGISTRY_ONLY") === "REGISTRY_ONLY" ? "REGISTRY_ONLY" : "ALLOW_ANY";
}

function orEverywhere(list: readonly string[] | undefined): readonly string[] {
  return list === undefined || list.length === 0 ? EVERYWHERE : list;
}
