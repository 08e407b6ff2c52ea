/** EnvoyFilter (networking.istio.io). There is no Envoy to patch here; analysis says of it what Istio's does. */

import * as z from "zod/mini";
import { int32, labelsSelector, message, text } from "./field.js";

/** Envoy's own configuration, which only Envoy can judge. */
const opaque = z.record(z.string(), z.unknown());

const proxyMatch = message({ proxyVersion: text, metadata: z.record(z.string(), z.string()) });

const patchMatch = message({
  context: z.enum(["ANY", "SIDECAR_INBOUND", "SIDECAR_OUTBOUND", "GATEWAY", "WAYPOINT"]),
  proxy: proxyMatch,
  listener: opaque,
  routeConfiguration: opaque,
  cluster: opaque,
  waypoint: opaque,
});

const patch = message({
  operation: z.enum(["INVALID", "MERGE", "ADD", "REMOVE", "INSERT_BEFORE", "INSERT_AFTER", "INSERT_FIRST", "REPLACE"]),
  value: opaque,
  filterClass: z.enum(["UNSPECIFIED", "AUTHN", "AUTHZ", "STATS"]),
});

const configPatch = message({
  applyTo: z.enum([
    "INVALID",
    "LISTENER",
    "FILTER_CHAIN",
    "NETWORK_FILTER",
    "HTTP_FILTER",
    "ROUTE_CONFIGURATION",
    "VIRTUAL_HOST",
    "HTTP_ROUTE",
    "CLUSTER",
    "EXTENSION_CONFIG",
    "BOOTSTRAP",
    "LISTENER_FILTER",
  ]),
  match: patchMatch,
  patch,
});

export const envoyFilter = message({
  workloadSelector: labelsSelector,
  targetRefs: z.array(opaque),
  configPatches: z.array(configPatch),
  priority: int32,
});

export type EnvoyFilterSpec = z.infer<typeof envoyFilter>;
