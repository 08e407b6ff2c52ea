/**
 * Client status discovery (envoy.service.status.v3, gRFC A40): what a process was told by its control plane, resource by resource,
 * as messages. Generic configurations say the same of every type.
 */

import type { XdsNode } from "../client/ads/node.js";
import type { ResourceState, ResourceStatus } from "../client/watch.js";
import { ENVOY } from "../generated/envoy.js";
import { STATUS } from "../generated/status.js";
import { decodeMessage } from "../proto/decode.js";
import { encodeMessage } from "../proto/encode.js";
import { Schema } from "../proto/schema.js";

export interface ClientStatusQuestion {
  /** It asks about some nodes only. */
  readonly hasMatchers: boolean;
  readonly withoutContents: boolean;
}

export interface ClientStatus {
  readonly node: XdsNode;
  /** Of inmesh. */
  readonly version: string;
  readonly resources: readonly ResourceStatus[];
}

const SCHEMA = new Schema(STATUS, ENVOY);
const SERVICE = "envoy.service.status.v3";
const PREFIX = "type.googleapis.com/";

/** envoy.admin.v3.ClientResourceStatus; the last two are newer than the tables here. */
const STATES: Readonly<Record<ResourceState, number>> = {
  ...{ REQUESTED: 1, DOES_NOT_EXIST: 2, ACKED: 3, NACKED: 4, RECEIVED_ERROR: 5, TIMEOUT: 6 },
};

/** @throws {WireError} no such message */
export function readClientStatusRequest(bytes: Uint8Array): ClientStatusQuestion {
  const { node_matchers: matchers, exclude_resource_contents: without } = decodeMessage(
    SCHEMA,
    `${SERVICE}.ClientStatusRequest`,
    bytes,
  );
  return { hasMatchers: Array.isArray(matchers) && matchers.length > 0, withoutContents: without === true };
}

/** A ClientStatusResponse. @param status undefined: the process has no control plane */
export function clientStatusResponse(
  status: ClientStatus | undefined,
  { withoutContents }: Pick<ClientStatusQuestion, "withoutContents">,
): Uint8Array {
  if (status === undefined) return new Uint8Array();
  const { node, version, resources } = status;
  const { client_features: _, ...shown } = node;
  return encodeMessage(SCHEMA, `${SERVICE}.ClientStatusResponse`, {
    config: [
      {
        node: { ...shown, user_agent_name: "inmesh", user_agent_version: version },
        generic_xds_configs: resources.map((resource) => genericConfig(resource, !withoutContents)),
      },
    ],
  });
}

function genericConfig(resource: ResourceStatus, withContents: boolean): object {
  const { url, name, state, version, bytes, updatedAt, error, refused } = resource;
  return {
    ...{ type_url: url.includes("/") ? url : `${PREFIX}${url}`, name, version_info: version },
    ...(withContents && bytes !== undefined && { xds_config: anyOf(url, bytes) }),
    ...(updatedAt > 0 && { last_updated: timestamp(updatedAt) }),
    client_status: STATES[state],
    ...((refused !== undefined || error !== undefined) && {
      error_state: {
        details: error ?? "",
        ...(refused !== undefined && { last_update_attempt: timestamp(refused.at), version_info: refused.version }),
        ...(withContents && refused?.bytes !== undefined && { failed_configuration: anyOf(url, refused.bytes) }),
      },
    }),
  };
}

/** Of Istio's kinds the envelope, which is what they came in; but for the settings of the mesh, which come bare. */
function anyOf(url: string, value: Uint8Array) {
  if (!url.includes("/")) return { type: url, value };
  return {
    type: url.endsWith("/MeshConfig") ? "istio.mesh.v1alpha1.MeshConfig" : "istio.mcp.v1alpha1.Resource",
    value,
  };
}

function timestamp(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
