/** Envoy's attributes that expressions may ask for: what an outcome record can tell. policy-semantics §3.7. */

/** Each has a value or is not there, as `has()` tells. Sizes in bytes; `request.duration` in ms, as `duration()` gives. */
export const CEL_ATTRIBUTES = [
  "request.path",
  "request.url_path",
  "request.query",
  "request.host",
  "request.scheme",
  "request.method",
  "request.protocol",
  "request.id",
  "request.referer",
  "request.useragent",
  "request.size",
  "request.duration",
  "response.code",
  "response.code_details",
  "response.flags",
  "response.grpc_status",
  "response.size",
  "connection.mtls",
  "connection.uri_san_peer_certificate",
  "source.address",
  "source.port",
  "destination.address",
  "destination.port",
  "upstream.address",
  "upstream.port",
  "upstream.uri_san_peer_certificate",
  "xds.cluster_name",
  "xds.route_name",
] as const;

/** By a key, in lower case. */
export const CEL_MAPS = ["request.headers", "response.headers"] as const;

/** What people write for short. */
export const CEL_ALIASES: Readonly<Record<string, string>> = { duration: "request.duration" };
