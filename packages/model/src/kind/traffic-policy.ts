/** Traffic policy: the parts that DestinationRule, Sidecar and MeshConfig share. policy-semantics §2.3–2.7. */

import * as z from "zod/mini";
import {
  atMostOne,
  double,
  duration,
  durationOrZero,
  flag,
  int32,
  message,
  portSelector,
  stringList,
  stringMapOfUint32,
  text,
  uint32,
  uint64,
} from "./field.js";

export const tcpKeepalive = message({
  probes: uint32,
  time: duration,
  interval: duration,
});

export const connectionPool = message({
  tcp: message({
    maxConnections: int32,
    connectTimeout: duration,
    tcpKeepalive: tcpKeepalive,
    maxConnectionDuration: duration,
    idleTimeout: durationOrZero, // 0s switches it off
  }),
  http: message({
    http1MaxPendingRequests: int32,
    http2MaxRequests: int32,
    maxRequestsPerConnection: int32,
    maxRetries: int32,
    idleTimeout: duration,
    h2UpgradePolicy: z.enum(["DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"]),
    useClientProtocol: flag,
    maxConcurrentStreams: int32,
    http2KeepAlive: message({ interval: duration, timeout: duration }),
  }),
});

export const outlierDetection = message({
  consecutiveErrors: int32,
  consecutive5xxErrors: uint32,
  consecutiveGatewayErrors: uint32,
  splitExternalLocalOriginErrors: flag,
  consecutiveLocalOriginFailures: uint32,
  interval: duration,
  baseEjectionTime: duration,
  maxEjectionPercent: int32,
  minHealthPercent: int32,
  outlierDetectionHttpErrorCodes: z.array(uint32),
});

const regionFailover = z.array(message({ from: text, to: text }));

export const localityLbSetting = message({
  distribute: z.array(message({ from: text, to: stringMapOfUint32 })),
  failover: regionFailover,
  failoverPriority: stringList,
  enabled: flag,
});

export const zoneAwareLbSetting = message({
  enabled: flag,
  failover: regionFailover,
  failoverPriority: stringList,
  minClusterSize: uint64,
});

const consistentHash = message({
  httpHeaderName: text,
  httpCookie: message({
    name: text,
    path: text,
    ttl: durationOrZero, // 0s is a session cookie
    attributes: z.array(message({ name: text, value: text })),
  }),
  useSourceIp: flag,
  httpQueryParameterName: text,
  ringHash: message({ minimumRingSize: uint64 }),
  maglev: message({ tableSize: uint64 }),
  minimumRingSize: uint64,
})
  .check(atMostOne("httpHeaderName", "httpCookie", "useSourceIp", "httpQueryParameterName"))
  .check(atMostOne("ringHash", "maglev"));

export const loadBalancer = message({
  simple: z.enum(["UNSPECIFIED", "LEAST_CONN", "RANDOM", "PASSTHROUGH", "ROUND_ROBIN", "LEAST_REQUEST"]),
  consistentHash: consistentHash,
  localityLbSetting: localityLbSetting,
  zoneAwareLbSetting: zoneAwareLbSetting,
  warmupDurationSecs: duration,
  warmup: message({
    duration: duration,
    minimumPercent: double,
    aggression: double,
  }),
})
  .check(atMostOne("simple", "consistentHash"))
  .check(atMostOne("warmup", "warmupDurationSecs"));

export const clientTls = message({
  mode: z.enum(["DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"]),
  clientCertificate: text,
  privateKey: text,
  caCertificates: text,
  caCrl: text,
  credentialName: text,
  subjectAltNames: stringList,
  sni: text,
  insecureSkipVerify: flag,
});

const portTrafficPolicy = message({
  port: portSelector,
  loadBalancer: loadBalancer,
  connectionPool: connectionPool,
  outlierDetection: outlierDetection,
  tls: clientTls,
});

export const trafficPolicy = message({
  loadBalancer: loadBalancer,
  connectionPool: connectionPool,
  outlierDetection: outlierDetection,
  tls: clientTls,
  portLevelSettings: z.array(portTrafficPolicy),
  tunnel: message({ protocol: text, targetHost: text, targetPort: uint32 }),
  proxyProtocol: message({ version: z.enum(["V1", "V2"]) }),
  retryBudget: message({
    percent: double,
    minRetryConcurrency: uint32,
    budgetInterval: durationOrZero,
  }),
});

export type TrafficPolicySpec = z.infer<typeof trafficPolicy>;
export type PortTrafficPolicySpec = z.infer<typeof portTrafficPolicy>;
export type LoadBalancerSpec = z.infer<typeof loadBalancer>;
export type ConnectionPoolSpec = z.infer<typeof connectionPool>;
export type OutlierDetectionSpec = z.infer<typeof outlierDetection>;
export type ClientTlsSpec = z.infer<typeof clientTls>;
export type LocalityLbSpec = z.infer<typeof localityLbSetting>;
export type ZoneAwareLbSpec = z.infer<typeof zoneAwareLbSetting>;
