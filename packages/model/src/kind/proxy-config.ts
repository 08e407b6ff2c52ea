/** MeshConfig.defaultConfig: what Istio starts its proxies with. Mostly theirs alone; read so that real files pass. */

import * as z from "zod/mini";
import {
  atMostOne,
  double,
  duration,
  durationOrZero,
  flag,
  int32,
  message,
  stringList,
  stringMap,
  text,
  uint32,
  uint64,
} from "./field.js";
import { clientTls, tcpKeepalive } from "./traffic-policy.js";
import { readinessProbe } from "./workload-group.js";

/** Made when a MeshConfig has one: few have, and its hundred fields cost as much as all the other kinds. */
export function createProxyConfig() {
  const none = message({});

  const tracing = message({
    zipkin: message({ address: text }),
    lightstep: message({ address: text, accessToken: text }),
    datadog: message({ address: text }),
    stackdriver: message({
      debug: flag,
      maxNumberOfAttributes: uint64,
      maxNumberOfAnnotations: uint64,
      maxNumberOfMessageEvents: uint64,
    }),
    openCensusAgent: message({
      address: text,
      context: z.array(z.enum(["UNSPECIFIED", "W3C_TRACE_CONTEXT", "GRPC_BIN", "CLOUD_TRACE_CONTEXT", "B3"])),
    }),
    customTags: z.record(
      z.string(),
      message({
        literal: message({ value: text }),
        environment: message({ name: text, defaultValue: text }),
        header: message({ name: text, defaultValue: text }),
      }).check(atMostOne("literal", "environment", "header")),
    ),
    maxPathTagLength: uint32,
    sampling: double,
    tlsSettings: clientTls,
    enableIstioTags: flag,
  }).check(atMostOne("zipkin", "lightstep", "datadog", "stackdriver", "openCensusAgent"));

  const clientCertDetails = z.enum([
    "UNDEFINED",
    "SANITIZE",
    "FORWARD_ONLY",
    "APPEND_FORWARD",
    "SANITIZE_SET",
    "ALWAYS_FORWARD_ONLY",
  ]);

  const remoteService = message({ address: text, tlsSettings: clientTls, tcpKeepalive });

  const privateKeySource = message({ pollDelay: durationOrZero, fallback: flag });

  const disableable = message({ disabled: flag });
  const enableable = message({ enabled: flag });

  const proxyHeaders = message({
    forwardedClientCert: clientCertDetails,
    setCurrentClientCertDetails: message({ subject: flag, cert: flag, chain: flag, dns: flag, uri: flag }),
    requestId: disableable,
    server: message({ disabled: flag, value: text }),
    attemptCount: disableable,
    envoyDebugHeaders: disableable,
    metadataExchangeHeaders: message({ mode: z.enum(["UNDEFINED", "IN_MESH"]) }),
    preserveHttp1HeaderCase: flag,
    xForwardedHost: enableable,
    xForwardedPort: enableable,
  });

  const connectionSettings = message({
    profile: z.enum(["SIDECAR", "EDGE"]),
    listenerPerConnectionBufferLimitBytes: int32,
    clusterPerConnectionBufferLimitBytes: int32,
    httpIdleTimeout: durationOrZero,
    httpMaxConnectionDuration: durationOrZero,
    httpDrainTimeout: durationOrZero,
    httpRequestTimeout: durationOrZero,
    httpRequestHeadersTimeout: durationOrZero,
    httpStreamIdleTimeout: durationOrZero,
    httpMaxStreamDuration: durationOrZero,
    httpMaxConcurrentStreams: int32,
    http2InitialStreamWindowSize: int32,
    http2InitialConnectionWindowSize: int32,
    httpHeadersWithUnderscoresAction: z.enum([
      "HEADERS_WITH_UNDERSCORES_UNSPECIFIED",
      "HEADERS_WITH_UNDERSCORES_ALLOW",
      "HEADERS_WITH_UNDERSCORES_REJECT_REQUEST",
      "HEADERS_WITH_UNDERSCORES_DROP_HEADER",
    ]),
    httpMergeSlashes: flag,
    httpPathWithEscapedSlashesAction: z.enum([
      "PATH_WITH_ESCAPED_SLASHES_UNSPECIFIED",
      "KEEP_UNCHANGED",
      "REJECT_REQUEST",
      "UNESCAPE_AND_REDIRECT",
      "UNESCAPE_AND_FORWARD",
    ]),
    listenerConnectionLimit: int32,
    globalDownstreamConnectionLimit: int32,
  });

  return message({
    configPath: text,
    binaryPath: text,
    serviceCluster: text,
    tracingServiceName: z.enum(["APP_LABEL_AND_NAMESPACE", "CANONICAL_NAME_ONLY", "CANONICAL_NAME_AND_NAMESPACE"]),
    drainDuration: duration,
    discoveryAddress: text,
    discoveryRefreshDelay: durationOrZero,
    zipkinAddress: text,
    statsdUdpAddress: text,
    envoyMetricsServiceAddress: text,
    proxyAdminPort: int32,
    availabilityZone: text,
    controlPlaneAuthPolicy: z.enum(["NONE", "MUTUAL_TLS", "INHERIT"]),
    customConfigFile: text,
    statNameLength: int32,
    concurrency: int32,
    proxyBootstrapTemplatePath: text,
    interceptionMode: z.enum(["REDIRECT", "TPROXY", "NONE"]),
    tracing,
    sds: message({ enabled: flag, k8sSaJwtPath: text }),
    envoyAccessLogService: remoteService,
    envoyMetricsService: remoteService,
    proxyMetadata: stringMap,
    runtimeValues: stringMap,
    statusPort: int32,
    extraStatTags: stringList,
    gatewayTopology: message({
      numTrustedProxies: uint32,
      forwardClientCertDetails: clientCertDetails,
      proxyProtocol: none,
    }),
    terminationDrainDuration: durationOrZero,
    meshId: text,
    readinessProbe,
    proxyStatsMatcher: message({
      inclusionPrefixes: stringList,
      inclusionSuffixes: stringList,
      inclusionRegexps: stringList,
    }),
    holdApplicationUntilProxyStarts: flag,
    caCertificatesPem: stringList,
    image: message({ imageType: text }),
    privateKeyProvider: message({ cryptomb: privateKeySource, qat: privateKeySource }).check(
      atMostOne("cryptomb", "qat"),
    ),
    proxyHeaders,
    fileFlushInterval: durationOrZero,
    fileFlushMinSizeKb: uint32,
    statsCompression: flag,
    connectionSettings,
  }).check(atMostOne("serviceCluster", "tracingServiceName"));
}
