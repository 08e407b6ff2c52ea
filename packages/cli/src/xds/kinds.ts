/** What may be asked of a control plane, and how each answer becomes documents. */

import { isDeepStrictEqual } from "node:util";
import { messageOf } from "@inmesh/core";
import type { Document } from "@inmesh/model";
import { API_KINDS, type ApiKind, apiResourceType } from "@inmesh/xds/api";
import { firstText, type ResourceType, type XdsProfile } from "@inmesh/xds/client";
import { describeResource } from "@inmesh/xds/envoy";
import { CliError, EXIT } from "../exit.js";

export type XdsDocument = Readonly<Record<string, unknown>>;

/** One resource as it was told. */
export interface Told {
  readonly documents: readonly XdsDocument[];
  /** Why it is no document, for people; empty where it is one. */
  readonly problems: readonly string[];
}

export type XdsType = ResourceType<Told>;

export const LISTENERS = "envoy.config.listener.v3.Listener";
export const ROUTES = "envoy.config.route.v3.RouteConfiguration";
export const CLUSTERS = "envoy.config.cluster.v3.Cluster";
export const ENDPOINTS = "envoy.config.endpoint.v3.ClusterLoadAssignment";
/** In the order in which each names the next. */
export const ENVOY_URLS: readonly string[] = [LISTENERS, ROUTES, CLUSTERS, ENDPOINTS];

const SHORT: Readonly<Record<string, string>> = {
  ...{ listeners: LISTENERS, routes: ROUTES, clusters: CLUSTERS, endpoints: ENDPOINTS },
  ...{ lds: LISTENERS, rds: ROUTES, cds: CLUSTERS, eds: ENDPOINTS },
};

/** @param given of `--type`; empty: all of the profile */
export function typesOf(given: readonly string[], profile: XdsProfile): readonly XdsType[] {
  if (given.length > 0) return [...new Map(given.map(typeOf).map((type) => [type.url, type])).values()];
  return profile === "api" ? API_KINDS.map(({ kind }) => typeOf(kind)) : ENVOY_URLS.map(envoyType);
}

/** @throws {CliError} nothing by that name */
function typeOf(given: string): XdsType {
  const api = API_KINDS.find(({ kind }) => kind.toLowerCase() === given.toLowerCase());
  if (api !== undefined) return apiType(api);
  const url = SHORT[given.toLowerCase()] ?? (/^[a-z][\w]*(\.\w+)+$/.test(given) ? given : undefined);
  if (url !== undefined) return envoyType(url);
  const known = [...Object.keys(SHORT).slice(0, 4), ...API_KINDS.map(({ kind }) => kind)].join(", ");
  const advice = `Give one of ${known}, or the full name of a message such as ${CLUSTERS}.`;
  throw new CliError(EXIT.usage, `--type ${given}: no such type`, advice);
}

function apiType(kind: ApiKind): XdsType {
  const type = apiResourceType(kind);
  // MeshConfig is kept bare; only a document that names its kind can be read from any file.
  const naming = ({ value }: Document): XdsDocument =>
    "kind" in value ? value : { apiVersion: kind.apiVersion, kind: kind.kind, ...value };
  return {
    ...type,
    decode: (bytes, name) => {
      const { documents, problems } = type.decode(bytes, name);
      return { documents: documents.map(naming), problems: problems.map(({ message }) => message) };
    },
    same: isDeepStrictEqual,
  };
}

/** What cannot be read is shown as that, and not refused: looking must not make a server send anything again. */
export function envoyType(url: string): XdsType {
  return {
    url,
    wholeState: url === LISTENERS || url === CLUSTERS,
    nameOf: firstText,
    decode: (bytes) => {
      try {
        return { documents: [describeResource(url, bytes)], problems: [] };
      } catch (error) {
        return { documents: [], problems: [`it cannot be read: ${messageOf(error)}`] };
      }
    },
    same: isDeepStrictEqual,
  };
}

/** `VirtualService`, `Cluster`: how lines name the type. */
export function labelOf({ url }: XdsType): string {
  return url.slice(Math.max(url.lastIndexOf("/"), url.lastIndexOf(".")) + 1);
}

interface Named {
  readonly "@type"?: string;
  readonly kind?: string;
  readonly name?: string;
  readonly cluster_name?: string;
  readonly metadata?: { readonly name?: string; readonly namespace?: string };
}

/** `Cluster outbound|80||reviews`, `VirtualService shop/reviews`. @param namespace of those that say none */
export function keyOf(document: XdsDocument, namespace: string): string {
  const { "@type": type, kind = "", name, cluster_name: cluster, metadata } = document as Named;
  if (type !== undefined) return `${type.slice(type.lastIndexOf(".") + 1)} ${cluster ?? name ?? ""}`;
  return metadata === undefined ? kind : `${kind} ${metadata.namespace ?? namespace}/${metadata.name ?? ""}`;
}
