/** service-defaults, proxy-defaults and mesh: what holds for a service whoever is routed to it. */

import type {
  ExternalDestination,
  MeshEntry,
  NotHonoured,
  ProxyDefaults,
  ServiceDefaults,
  UpstreamConfig,
  UpstreamPolicy,
} from "./config-entry.js";
import type { Fields } from "./field.js";

/** Of service-defaults, beside what is read: why it does nothing here. */
const SERVICE_FIELDS: Readonly<Record<string, string>> = {
  LocalRequestTimeoutMs: "No proxy stands before the service: give its callers RequestTimeout in a service-router.",
  ExternalSNI: "Give the DestinationRule of the service tls.sni.",
  RateLimits: "Write a RateLimit of the mesh (inmesh.dev/v1alpha1).",
  EnvoyExtensions: "There is no Envoy.",
};

/** There is no proxy of its own that they could be about: nothing that callers see is different. */
const SERVICE_FIELDS_WITHOUT_EFFECT = [
  "LocalConnectTimeoutMs",
  "BalanceInboundConnections",
  "MutualTLSMode",
  "TransparentProxy",
  "Expose",
  "MeshGateway",
];

/** @throws {FieldFault} */
export function readServiceDefaults(name: string, fields: Fields): ServiceDefaults {
  const notHonoured: NotHonoured[] = [
    ...fields.unread(Object.keys(SERVICE_FIELDS)).map((field) => ({ field, why: SERVICE_FIELDS[field] ?? "" })),
    ...fields.unread(SERVICE_FIELDS_WITHOUT_EFFECT).map((field) => withoutProxy(field)),
  ];
  const upstreams = fields.optional("UpstreamConfig");
  const destination = fields.optional("Destination");
  return {
    name,
    protocol: (fields.text("Protocol") ?? "").toLowerCase(),
    maxInboundConnections: fields.number("MaxInboundConnections") ?? 0,
    upstreams: upstreams && readUpstreams(upstreams, notHonoured),
    destination: destination && readDestination(destination),
    notHonoured,
  };
}

function withoutProxy(field: string): NotHonoured {
  return { field, why: "No proxy stands between a caller and the service.", severity: "info" };
}

function readUpstreams(fields: Fields, notHonoured: NotHonoured[]): UpstreamConfig {
  const defaults = fields.optional("Defaults");
  const overrides = fields.lists("Overrides").map((override) => {
    const name = override.text("Name");
    if (name === undefined) throw override.fault("Name", "is missing");
    return [name, readUpstream(override, notHonoured)] as const;
  });
  return { defaults: defaults && readUpstream(defaults, notHonoured), overrides: new Map(overrides) };
}

function readUpstream(fields: Fields, notHonoured: NotHonoured[]): UpstreamPolicy {
  const limits = fields.fields("Limits");
  const limit = (field: string): number | undefined => {
    const value = limits.number(field);
    if (value !== 0) return value;
    notHonoured.push({ field: `${limits.path}.${field}`, why: "0 would allow nothing at all; no limit is set." });
    return undefined;
  };
  for (const field of fields.unread(["Protocol", "EnvoyListenerJSON", "EnvoyClusterJSON"])) {
    notHonoured.push({ field: `${fields.path}.${field}`, why: "The upstream's own service-defaults decide." });
  }
  for (const field of fields.unread(["MeshGateway", "BalanceOutboundConnections"])) {
    notHonoured.push(withoutProxy(`${fields.path}.${field}`));
  }
  return {
    connectTimeoutMs: fields.number("ConnectTimeoutMs") || undefined,
    maxConnections: limit("MaxConnections"),
    maxPendingRequests: limit("MaxPendingRequests"),
    maxConcurrentRequests: limit("MaxConcurrentRequests"),
    passiveHealthCheck: readHealthCheck(fields.optional("PassiveHealthCheck"), notHonoured),
  };
}

/** Off where Consul says that 0 % of the failures count. */
function readHealthCheck(fields: Fields | undefined, notHonoured: NotHonoured[]): UpstreamPolicy["passiveHealthCheck"] {
  if (fields === undefined) return undefined;
  const enforced = fields.number("EnforcingConsecutive5xx") ?? 100;
  if (enforced > 0 && enforced < 100) {
    const field = `${fields.path}.EnforcingConsecutive5xx`;
    notHonoured.push({ field, why: "An endpoint that fails too often is always left out." });
  }
  return {
    intervalMs: fields.durationMs("Interval"),
    maxFailures: enforced === 0 ? 0 : fields.number("MaxFailures") || undefined,
    baseEjectionTimeMs: fields.durationMs("BaseEjectionTime"),
    maxEjectionPercent: fields.number("MaxEjectionPercent") || undefined,
  };
}

function readDestination(fields: Fields): ExternalDestination {
  const address = fields.text("Address"); // 1.13 before its release; kept as a single one
  const addresses = [...fields.texts("Addresses"), ...(address === undefined ? [] : [address])];
  if (addresses.length === 0) throw fields.fault("Addresses", "is missing");
  return { addresses, port: fields.number("Port") ?? 443 };
}

/** @throws {FieldFault} */
export function readProxyDefaults(name: string, fields: Fields): ProxyDefaults {
  const notHonoured = ["EnvoyExtensions", "AccessLogs", "Expose", "MeshGateway", "TransparentProxy"]
    .filter((field) => fields.unread([field]).length > 0)
    .map(withoutProxy);
  const { protocol } = Object.fromEntries(
    Object.entries((fields.value("Config") as object | undefined) ?? {}).map(([key, value]) => [
      key.toLowerCase(),
      value,
    ]),
  );
  return { name, protocol: typeof protocol === "string" ? protocol.toLowerCase() : "", notHonoured };
}

/** @throws {FieldFault} */
export function readMesh(name: string, fields: Fields): MeshEntry {
  const notHonoured: NotHonoured[] = [];
  if (fields.fields("TransparentProxy").flag("MeshDestinationsOnly")) {
    const why = "Write outboundTrafficPolicy: {mode: REGISTRY_ONLY} into the mesh's MeshConfig.";
    notHonoured.push({ field: "TransparentProxy.MeshDestinationsOnly", why });
  }
  for (const field of fields.unread(["TLS"])) {
    notHonoured.push({ field, why: "The mesh's own rules for TLS hold.", severity: "info" });
  }
  return { name, notHonoured };
}
