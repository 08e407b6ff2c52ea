/** gRPC answers 200 to nearly everything: what one means is in its grpc-status. */

import { GRPC_STATUS_NAMES } from "@inmesh/model";
import { MESH_ERRORS, type MeshErrorCode } from "../errors.js";
import type { HeaderReader } from "./attempt.js";
import type { Call } from "./call.js";

/** HTTP status by gRPC status number, as Envoy's outlier detection takes them. */
const MEANT = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];

const UNKNOWN = 2;

/** gRPC status number by HTTP status, for answers made without an upstream: Envoy's and gRPC's own table, 2 for all others. */
const GRPC_STATUS_OF: { readonly [Status in number]?: number } = {
  400: 13,
  401: 16,
  403: 7,
  404: 12,
  429: 14,
  502: 14,
  503: 14,
  504: 14,
};

/** gRPC and gRPC-Web. */
export function isGrpc(call: Call): boolean {
  const type = call.header("content-type");
  return typeof type === "string" && type.startsWith("application/grpc");
}

/** As `grpc-message` has it: what is printable stays, `%` excepted (gRPC over HTTP/2, Percent-Encoded). */
export function grpcMessageText(text: string): string {
  return text.replace(/[^ -$&-~]+/g, (part) => encodeURIComponent(part));
}

/** @returns the HTTP status that an answer amounts to: its own, unless it is gRPC's and its head says more */
export function statusMeant(call: Call, status: number, header: HeaderReader): number {
  if (status !== 200 || !isGrpc(call)) return status;
  const said = header("grpc-status");
  return said === undefined ? status : (MEANT[Number(said)] ?? 500);
}

/** A status that tells of a failure of whoever served the call, as 500 and above do in HTTP. @param grpcStatus -1: none */
export function isServerFault(grpcStatus: number): boolean {
  return grpcStatus > 0 && (MEANT[grpcStatus] ?? 500) >= 500;
}

/** @returns the gRPC status number of an answer with this HTTP status that was made without an upstream */
export function grpcStatusOf(status: number): number {
  return GRPC_STATUS_OF[status] ?? UNKNOWN;
}

/**
 * What a caller of gRPC gets for a failure of the mesh's own.
 * @param status HTTP status that goes with it
 * @param fault of the rule, for one that was injected
 */
export function grpcStatusOfError(
  code: MeshErrorCode,
  status: number,
  fault: { readonly abortGrpcStatus?: string } | undefined,
): number {
  if (code !== "FAULT_ABORTED") return MESH_ERRORS[code].grpcStatus;
  const name = fault?.abortGrpcStatus;
  if (name === undefined) return grpcStatusOf(status);
  const number = GRPC_STATUS_NAMES.indexOf(name);
  return number < 0 ? UNKNOWN : number;
}
