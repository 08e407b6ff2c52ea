/** Who this process says it is. */

import { DISCOVERY } from "../../generated/discovery.js";
import { encodeMessage } from "../../proto/encode.js";
import { Schema } from "../../proto/schema.js";

/** What servers of a Node message are told (envoy/config/core/v3/base.proto); the rest of it is the client's own. */
export interface XdsNode {
  readonly id: string;
  readonly cluster?: string;
  readonly locality?: { readonly region?: string; readonly zone?: string; readonly sub_zone?: string };
  /** JSON. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Besides those of every client. */
  readonly client_features?: readonly string[];
}

/** What every client of ours can take. */
const FEATURES = ["xds.config.resource-in-sotw", "xds.config.supports-resource-ttl"];

/** @param version of inmesh */
export function encodeNode(node: XdsNode, version: string): Uint8Array {
  return encodeMessage(new Schema(DISCOVERY), "envoy.config.core.v3.Node", {
    ...node,
    user_agent_name: "inmesh",
    user_agent_version: version,
    client_features: [...FEATURES, ...(node.client_features ?? [])],
  });
}
