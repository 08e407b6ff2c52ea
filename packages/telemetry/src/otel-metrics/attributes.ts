/** Attributes of one outcome by the semantic conventions of OpenTelemetry. Nothing a caller writes becomes a value of its own. */

import type { OutcomeRecord } from "@inmesh/core";
import type { Attributes } from "@opentelemetry/api";

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
  const { direction, cluster, grpcStatus } = record;
  const status = GRPC_STATUS[grpcStatus] ?? "UNKNOWN";
  const failed = direction === "outbound" ? grpcStatus !== 0 : SERVER_FAULTS.has(status);
  return {
    "rpc.system.name": "grpc",
    "rpc.method": methodOf(record),
    "rpc.status_code": status,
    ...(direction === "outbound" && serverPlace(cluster)),
    ...errorOf(failed ? status : ""),
  };
}

/** As they were before 1.45, for OTEL_SEMCONV_STABILITY_OPT_IN=rpc/dup. */
export function oldRpcAttributes(record: OutcomeRecord): Attributes {
  const full = methodOf(record);
  const at = full.lastIndexOf("/");
  return {
    "rpc.system": "grpc",
    ...(at > 0 && { "rpc.service": full.slice(0, at) }),
    "rpc.method": full.slice(at + 1),
    "rpc.grpc.status_code": record.grpcStatus,
  };
}

/** `pkg.Service/Method`. A method that no server has is the caller's own word. */
function methodOf({ path, direction, grpcStatus }: OutcomeRecord): string {
  if (direction === "inbound" && grpcStatus === UNIMPLEMENTED) return OTHER;
  return RPC_PATH.test(path) ? path.slice(1) : OTHER;
}

const RPC_PATH = /^\/[\w.]{1,200}\/\w{1,100}$/;
const UNIMPLEMENTED = 12;

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

const GRPC_STATUS: readonly string[] = [
  ...["OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"],
  ...["PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED"],
  ...["INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"],
];
const SERVER_FAULTS: ReadonlySet<string> = new Set([
  ...["UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"],
]);
