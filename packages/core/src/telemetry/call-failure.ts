/** Of a call that the mesh failed, or that its caller gave up: Envoy's words for it (errors.ts has the table). */

import type { Call } from "../call/call.js";
import { grpcStatusOfError } from "../call/grpc-status.js";
import { MESH_ERRORS, MeshError, type MeshErrorCode, messageOf } from "../errors.js";
import { FLAG, flagBit } from "./response-flags.js";

const CANCELLED = 1;

export interface CallFailure {
  readonly code: MeshErrorCode | "";
  readonly message: string;
  readonly details: string;
  readonly flags: number;
  /** Status of gRPC that the caller got for it; -1 where it is no gRPC. */
  readonly grpcStatus: number;
}

/** @param error of the call */
export function failureOf({ status, noRetry, route }: Call, error: unknown, isGrpc: boolean): CallFailure {
  if (!(error instanceof MeshError)) {
    const grpcStatus = isGrpc ? givenUpWith(error) : -1;
    return { code: "", message: messageOf(error), details: "downstream_remote_disconnect", flags: FLAG.DC, grpcStatus };
  }
  const { code, message } = error;
  const { flag, details: ofCode } = MESH_ERRORS[code];
  const details = noRetry === "retry_budget" || noRetry === "retry_rate" ? "inmesh_retry_budget" : ofCode;
  const grpcStatus = isGrpc ? grpcStatusOfError(code, status, route?.fault) : -1;
  return { code, message, details, flags: flagBit(flag), grpcStatus };
}

/** A caller of gRPC that gives up does so with a status of its own. */
function givenUpWith(reason: unknown): number {
  const code = (reason as { readonly code?: unknown } | null | undefined)?.code;
  return typeof code === "number" ? code : CANCELLED;
}
