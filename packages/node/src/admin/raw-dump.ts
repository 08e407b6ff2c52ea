/**
 * `/config_dump` of a process that is told Envoy's resources: each as it came, with the version, the time, and why it was refused
 * where it was (envoy.admin.v3). Fields that inmesh has no table for are left out.
 */

import type { ConfigKind } from "@inmesh/core/admin";
import type { ResourceStatus } from "@inmesh/xds/client";
import type { XdsInsight } from "../plane/open-registry.js";

export type RawKind = Exclude<ConfigKind, "bootstrap" | "secrets">;

export const RAW_URLS: Readonly<Record<RawKind, string>> = {
  clusters: "envoy.config.cluster.v3.Cluster",
  listeners: "envoy.config.listener.v3.Listener",
  routes: "envoy.config.route.v3.RouteConfiguration",
  endpoints: "envoy.config.endpoint.v3.ClusterLoadAssignment",
};

/** Undefined: Istio's own resources are told, and what is in force is shown as it was compiled. */
export function rawResources(xds: XdsInsight | undefined, kind: RawKind): readonly ResourceStatus[] | undefined {
  if (xds === undefined || xds.profile === "api") return undefined;
  return xds.resources().filter(({ url }) => url === RAW_URLS[kind]);
}

/** Of one section: its parts, and the version of the newest. */
export function rawSection(xds: XdsInsight, kind: RawKind, resources: readonly ResourceStatus[]): object {
  const newest = resources.reduce<ResourceStatus | undefined>(
    (best, each) => (each.updatedAt > (best?.updatedAt ?? 0) ? each : best),
    undefined,
  );
  const parts = resources.map((resource) => rawPart(xds, kind, resource));
  const version_info = newest?.version ?? "";
  switch (kind) {
    case "clusters":
      return { version_info, dynamic_active_clusters: parts };
    case "listeners":
      return { version_info, dynamic_listeners: parts };
    case "routes":
      return { dynamic_route_configs: parts };
    default:
      return { dynamic_endpoint_configs: parts };
  }
}

const FIELD: Readonly<Record<RawKind, string>> = {
  clusters: "cluster",
  listeners: "listener",
  routes: "route_config",
  endpoints: "endpoint_config",
};

function rawPart(xds: XdsInsight, kind: RawKind, resource: ResourceStatus): object {
  const { url, name, state, version, updatedAt, bytes } = resource;
  const good = bytes && {
    version_info: version,
    [FIELD[kind]]: xds.json(url, bytes),
    last_updated: timestamp(updatedAt),
  };
  const about = { ...errorState(xds, resource), client_status: state };
  if (kind === "listeners") return { name, ...(good && { active_state: good }), ...about };
  // Without a good version there would be nothing that says which it is.
  return { ...(good ?? { inmesh: { name } }), ...about };
}

/** envoy.admin.v3.UpdateFailureState */
export function errorState(xds: XdsInsight, { url, error, refused }: ResourceStatus): object {
  if (refused === undefined) return error === undefined ? {} : { error_state: { details: error } };
  const { version, at, bytes } = refused;
  return {
    error_state: {
      ...(bytes && { failed_configuration: readable(xds, url, bytes) }),
      last_update_attempt: timestamp(at),
      details: error ?? "",
      version_info: version,
    },
  };
}

/** What was refused may be no message at all. */
function readable(xds: XdsInsight, url: string, bytes: Uint8Array): object {
  try {
    return xds.json(url, bytes);
  } catch {
    return { "@type": "type.googleapis.com/google.protobuf.BytesValue", value: Buffer.from(bytes).toString("base64") };
  }
}

function timestamp(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
