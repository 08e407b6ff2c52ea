/** Attributes of one outcome by the semantic conventions of OpenTelemetry. Nothing a caller writes becomes a value of its own. */

import type { OutcomeRecord } from "@inmesh/core";
import type { Attributes } from "@opentelemetry/api";
import { rpcFailed, rpcMethodOf, rpcStatusName } from "../rpc.js";

const METHODS: ReadonlySet<string> = new Set([
  ...["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"],
]);
const OTHER = "_OTHER";
const CLIENT_ERROR = 400;
const SERVER_ERROR = 500;

export function isGrpc({ grpcStatus }: OutcomeRecord): boolean {
  return grpcStatus >= 0;
}

export function clientAttributes(record: OutcomeRecord): Attributes {
  const { method, cluster, status, code } = record;
  return {
    "http.request.method": METHODS.has(method) ? method : OTHER,
    ...serverPlace(cluster),
    ...(status > 0 && { "http.response.status_code": status }),
    ...errorOf(code !== "" ? code : status >= CLIENT_ERROR ? String(status) : ""),
    ...protocolOf(record),
  };
}

export function serverAttributes(record: OutcomeRecord): Attributes {
  const { method, scheme, httpRoute, status, code } = record;
  return {
    "http.request.method": METHODS.has(method) ? method : OTHER,
    "url.scheme": scheme === "https" ? "https" : "http",
    ...(httpRoute !== "" && { "http.route": httpRoute }),
    ...(status > 0 && { "http.response.status_code": status }),
    ...errorOf(status >= SERVER_ERROR ? String(status) : status === 0 ? code : ""),
    ...protocolOf(record),
  };
}

export function rpcAttributes(record: OutcomeRecord): Attributes {
  const { direction, cluster } = record;
  const status = rpcStatusName(record);
  return {
    "rpc.system.name": "grpc",
    "rpc.method": rpcMethodOf(record) ?? OTHER,
    "rpc.status_code": status,
    ...(direction === "outbound" && serverPlace(cluster)),
    ...errorOf(rpcFailed(record) ? status : ""),
  };
}

/** As they were before 1.45, for OTEL_SEMCONV_STABILITY_OPT_IN=rpc/dup. */
export function oldRpcAttributes(record: OutcomeRecord): Attributes {
  const full = rpcMethodOf(record) ?? OTHER;
  const at = full.lastIndexOf("/");
  return {
    "rpc.system": "grpc",
    ...(at > 0 && { "rpc.service": full.slice(0, at) }),
    "rpc.method": full.slice(at + 1),
    "rpc.grpc.status_code": record.grpcStatus,
  };
}

function serverPlace(cluster: OutcomeRecord["cluster"]): Attributes {
  if (cluster === undefined) return {};
  return { "server.address": cluster.config.host, "server.port": cluster.config.port };
}

function errorOf(type: string): Attributes {
  return type === "" ? {} : { "error.type": type };
}

/** `HTTP/1.1` → http, 1.1. */
function protocolOf({ protocol }: OutcomeRecord): Attributes {
  const version = /^HTTP\/(1\.0|1\.1|2|2\.0|3)$/.exec(protocol)?.[1];
  if (version === undefined) return {};
  return { "network.protocol.name": "http", "network.protocol.version": version === "2.0" ? "2" : version };
}
