/**
 * GET /config_dump: what is in force in this process, Envoy-shaped; under a control plane that tells Envoy's resources, these
 * as they came. Keys are never in it.
 */

import { MeshError } from "@inmesh/core";
import {
  CONFIG_TYPES,
  type ConfigDump,
  type ConfigKind,
  type ConfigSection,
  clusterConfigs,
  endpointConfigs,
  istioMetadata,
  type NamedConfig,
  routeConfigs,
  snapshotInUse,
} from "@inmesh/core/admin";
import type { Listener } from "@inmesh/http/server";
import { compileRegex, regexFault } from "@inmesh/model/internal";
import type { DataPlane } from "../plane/data-plane.js";
import { shownConfig } from "../settings/registry-url.js";
import { VERSION } from "../version.js";
import { certsView } from "./certs-view.js";
import { rawResources, rawSection } from "./raw-dump.js";

const LISTENER = "type.googleapis.com/envoy.config.listener.v3.Listener";
const SECRET = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
/** Of the field of each section that holds its parts, as Envoy calls them and `?resource=` names them. */
const FIELDS: Readonly<Record<Exclude<ConfigKind, "bootstrap">, string>> = {
  clusters: "dynamic_active_clusters",
  listeners: "dynamic_listeners",
  routes: "dynamic_route_configs",
  endpoints: "dynamic_endpoint_configs",
  secrets: "dynamic_active_secrets",
};

/**
 * `?resource=clusters` (or `dynamic_active_clusters`) gives one section, `?name_regex=` the parts whose names it finds.
 * @throws {MeshError} CONFIG_INVALID for a section nobody knows, or a pattern that is none
 */
export function configDump(plane: DataPlane, query: URLSearchParams): ConfigDump {
  const wanted = kindsOf(query.get("resource"));
  const isNamed = readsPattern(query.get("name_regex"));
  return { configs: wanted.map((kind) => sectionOf(plane, kind, isNamed)) };
}

function kindsOf(resource: string | null): readonly ConfigKind[] {
  const kinds = Object.keys(CONFIG_TYPES) as ConfigKind[];
  if (resource === null || resource === "") return kinds;
  const kind = kinds.find((name) => name === resource || (name !== "bootstrap" && FIELDS[name] === resource));
  if (kind !== undefined) return [kind];
  throw new MeshError("CONFIG_INVALID", `no section ${JSON.stringify(resource)}: there are ${kinds.join(", ")}`);
}

function sectionOf(plane: DataPlane, kind: ConfigKind, isNamed: (name: string) => boolean): ConfigSection {
  const type = { "@type": CONFIG_TYPES[kind] };
  if (kind === "bootstrap") return { ...type, bootstrap: bootstrapOf(plane) };
  const raw = kind === "secrets" ? undefined : rawResources(plane.xds, kind);
  if (raw !== undefined && kind !== "secrets" && plane.xds !== undefined) {
    const named = raw.filter(({ name }) => isNamed(name));
    return { ...type, ...rawSection(plane.xds, kind, named) };
  }
  const { version = 0 } = plane.pipeline ?? {};
  const parts = PARTS[kind](plane).filter(({ name }) => isNamed(name));
  return { ...type, [FIELDS[kind]]: parts.map((part) => WRAPPED[kind](part, `${version}`)) };
}

/** RE2, found anywhere in the name. */
function readsPattern(pattern: string | null): (name: string) => boolean {
  if (pattern === null) return () => true;
  const fault = regexFault(pattern);
  if (fault !== undefined) throw new MeshError("CONFIG_INVALID", `name_regex: ${fault}`);
  return compileRegex(`(?s).*(?:${pattern}).*`);
}

type Parts = Exclude<ConfigKind, "bootstrap">;

const PARTS: Readonly<Record<Parts, (plane: DataPlane) => readonly NamedConfig[]>> = {
  clusters: (plane) => ofSnapshot(plane, clusterConfigs),
  endpoints: (plane) => ofSnapshot(plane, endpointConfigs),
  routes: (plane) => ofSnapshot(plane, routeConfigs),
  listeners: (plane) => plane.servers.listeners.map((listener) => listenerConfig(plane, listener)),
  secrets: secretConfigs,
};

const WRAPPED: Readonly<Record<Parts, (part: NamedConfig, version: string) => unknown>> = {
  clusters: ({ config }, version_info) => ({ version_info, cluster: config }),
  endpoints: ({ config }, version_info) => ({ version_info, endpoint_config: config }),
  routes: ({ config }, version_info) => ({ version_info, route_config: config }),
  listeners: ({ name, config }, version_info) => ({ name, active_state: { version_info, listener: config } }),
  secrets: ({ name, config }, version_info) => ({ name, version_info, secret: config }),
};

function ofSnapshot(
  { store: { current }, engine }: DataPlane,
  read: (snapshot: NonNullable<typeof current>) => readonly NamedConfig[],
): readonly NamedConfig[] {
  return current === undefined ? [] : read(snapshotInUse(current, engine.clusters));
}

function bootstrapOf(plane: DataPlane): unknown {
  const { settings, instance, patched, registryUrl, adminUrl = "" } = plane;
  const { namespace, service, labels, mode, locality = "" } = settings;
  const [region, zone, subZone] = locality.split("/");
  const own = { NAMESPACE: namespace, LABELS: { ...labels }, INMESH_VERSION: VERSION, NODE_VERSION: process.version };
  return {
    node: {
      id: plane.xds?.node.id ?? `${namespace}/${service}/${instance}`,
      cluster: plane.xds?.node.cluster ?? `${service}.${namespace}`,
      ...(locality.includes("/") && { locality: { region, zone, ...(subZone && { sub_zone: subZone }) } }),
      metadata: { ...own, ...plane.xds?.node.metadata },
      user_agent_name: "inmesh",
      user_agent_version: VERSION,
    },
    admin: addressOf(adminUrl),
    ...istioMetadata(undefined, { registry: shownConfig(registryUrl), mode, patched: [...patched], admin: adminUrl }),
  };
}

/** A core.v3.Address; ours is a URL, which has no field of its own. */
function addressOf(url: string): unknown {
  const [, host, port] = /^http:\/\/\[?(.*?)\]?:(\d+)$/.exec(url) ?? [];
  if (host !== undefined) return { address: { socket_address: { address: host, port_value: Number(port) } } };
  return url.startsWith("unix:") ? { address: { pipe: { path: url.slice("unix:".length) } } } : {};
}

function listenerConfig({ security }: DataPlane, { address, port, protocol }: Listener): NamedConfig {
  const name = `${address}_${port}`;
  const view = security.read().ports.find((each) => each.port === port);
  const { mode = "PERMISSIVE", source = "", tls = "mesh", problem = "" } = view ?? {};
  const own = { protocol, mtls: mode, source, tls, ...(problem !== "" && { problem }) };
  return {
    name,
    config: {
      "@type": LISTENER,
      name,
      address: { socket_address: { address, port_value: port } },
      traffic_direction: "INBOUND",
      ...istioMetadata(undefined, own),
    },
  };
}

/** `default` and `ROOTCA`, as Istio's agent names them. */
function secretConfigs(plane: DataPlane): readonly NamedConfig[] {
  const { current } = plane.identity ?? {};
  if (current === undefined) return [];
  const { chain, roots } = certsView(plane);
  const inline = (pem: string) => ({ inline_bytes: Buffer.from(pem).toString("base64") });
  const pemRoots = [...current.bundles.values()].flat().join("\n");
  return [
    {
      name: "default",
      config: {
        ...{ "@type": SECRET, name: "default" },
        tls_certificate: {
          certificate_chain: inline(current.certificateChain),
          private_key: { inline_bytes: Buffer.from("[redacted]").toString("base64") },
        },
        ...istioMetadata(undefined, { chain }),
      },
    },
    {
      name: "ROOTCA",
      config: {
        ...{ "@type": SECRET, name: "ROOTCA" },
        validation_context: { trusted_ca: inline(pemRoots) },
        ...istioMetadata(undefined, { roots }),
      },
    },
  ];
}
