/** MeshConfig: the settings of the whole mesh, bare in `mesh.yaml`. policy-semantics §0.7. */

import * as z from "zod/mini";
import { createExtensionProvider } from "./extension-provider.js";
import { atMostOne, duration, durationOrZero, flag, int32, message, stringList, stringMap, text } from "./field.js";
import { createProxyConfig } from "./proxy-config.js";
import {
  clientTls,
  connectionPool,
  localityLbSetting,
  outlierDetection,
  tcpKeepalive,
  zoneAwareLbSetting,
} from "./traffic-policy.js";
import { httpRetry } from "./virtual-service.js";

function createMeshConfig() {
  const labelSelector = message({
    matchLabels: stringMap,
    matchExpressions: z.array(message({ key: text, operator: text, values: stringList })),
  });

  const tlsConfig = message({
    minProtocolVersion: z.enum(["TLS_AUTO", "TLSV1_2", "TLSV1_3"]),
    ecdhCurves: stringList,
    cipherSuites: stringList,
  });

  const visibility = z.enum(["VISIBILITY_UNSPECIFIED", "NONE", "NAMESPACE", "PUBLIC"]);

  return message({
    proxyListenPort: int32,
    proxyInboundListenPort: int32,
    proxyHttpPort: int32,
    connectTimeout: duration,
    hboneIdleTimeout: durationOrZero,
    protocolDetectionTimeout: durationOrZero,
    tcpKeepalive,
    ingressClass: text,
    ingressService: text,
    ingressControllerMode: z.enum(["UNSPECIFIED", "OFF", "DEFAULT", "STRICT"]),
    ingressSelector: text,
    enableTracing: flag,
    accessLogFile: text,
    accessLogFormat: text,
    accessLogEncoding: z.enum(["TEXT", "JSON"]),
    enableEnvoyAccessLogService: flag,
    disableEnvoyListenerLog: flag,
    defaultConfig: z.lazy(createProxyConfig),
    outboundTrafficPolicy: message({
      mode: z.enum(["REGISTRY_ONLY", "ALLOW_ANY", "ALLOW_ANY_DYNAMIC_DNS"]),
      tls: clientTls,
    }),
    inboundTrafficPolicy: message({ mode: z.enum(["PASSTHROUGH", "LOCALHOST"]) }),
    configSources: z.array(
      message({ address: text, tlsSettings: clientTls, subscribedResources: z.array(z.enum(["SERVICE_REGISTRY"])) }),
    ),
    enableAutoMtls: flag,
    trustDomain: text,
    trustDomainAliases: stringList,
    caCertificates: z.array(
      message({ pem: text, spiffeBundleUrl: text, certSigners: stringList, trustDomains: stringList }).check(
        atMostOne("pem", "spiffeBundleUrl"),
      ),
    ),
    defaultServiceExportTo: stringList,
    defaultVirtualServiceExportTo: stringList,
    defaultDestinationRuleExportTo: stringList,
    rootNamespace: text,
    localityLbSetting,
    zoneAwareLbSetting,
    dnsRefreshRate: durationOrZero,
    h2UpgradePolicy: z.enum(["DO_NOT_UPGRADE", "UPGRADE"]),
    inboundClusterStatName: text,
    outboundClusterStatName: text,
    certificates: z.array(message({ secretName: text, dnsNames: stringList })),
    serviceSettings: z.array(message({ settings: message({ clusterLocal: flag }), hosts: stringList })),
    serviceScopeConfigs: z.array(
      message({
        namespaceSelector: labelSelector,
        servicesSelector: labelSelector,
        scope: z.enum(["LOCAL", "GLOBAL"]),
      }),
    ),
    enablePrometheusMerge: flag,
    verifyCertificateAtClient: flag,
    ca: message({ address: text, tlsSettings: clientTls, requestTimeout: durationOrZero, istiodSide: flag }),
    extensionProviders: z.array(z.lazy(createExtensionProvider)),
    defaultProviders: message({ tracing: stringList, metrics: stringList, accessLogging: stringList }),
    discoverySelectors: z.array(labelSelector),
    pathNormalization: message({
      normalization: z.enum(["DEFAULT", "NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"]),
    }),
    defaultHttpRetryPolicy: httpRetry,
    defaultInboundHttpRetryPolicy: httpRetry,
    meshMTLS: tlsConfig,
    tlsDefaults: tlsConfig,
    defaultTrafficPolicy: message({ connectionPool, outlierDetection }),
    serviceEntryVisibility: message({
      defaultVisibility: visibility,
      applyToSidecars: flag,
      policies: z.array(message({ visibility, matchingRules: z.array(message({ namespaceSelector: labelSelector })) })),
    }),
  });
}

/** Made on first use: most processes never see one. */
export const meshConfig = z.lazy(createMeshConfig);

export type MeshConfigSpec = z.infer<typeof meshConfig>;
