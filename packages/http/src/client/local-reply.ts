/** Failures made by the mesh, as the answers Envoy would give: the same policy then means the same to an application. */

import type { Call, LocalReply, MeshError, MeshErrorCode } from "@inmesh/core";
import { grpcMessageText, grpcStatusOfError, isGrpc } from "@inmesh/core/internal";

export const ERROR_HEADER = "x-inmesh-error";

const BEFORE_HEADERS = "upstream connect error or disconnect/reset before headers. reset reason:";

/** Envoy's: a limit or a breaker stopped the request here. Whoever called must not try again at once. */
const OVERLOADED_FLAG = "UO";

/** Envoy's words, where it has any; what happened here follows on the next line. */
const PHRASES: Partial<Record<MeshErrorCode, string>> = {
  OVERFLOW: `${BEFORE_HEADERS} overflow`,
  CONNECT_FAILED: `${BEFORE_HEADERS} remote connection failure`,
  WRONG_PEER: `${BEFORE_HEADERS} remote connection failure`,
  STREAM_REFUSED: `${BEFORE_HEADERS} remote refused stream reset`,
  UPSTREAM_RESET: `${BEFORE_HEADERS} connection termination`,
  UPSTREAM_PROTOCOL: `${BEFORE_HEADERS} protocol error`,
  NO_ENDPOINT: "no healthy upstream",
  TIMEOUT: "upstream request timeout",
  PER_TRY_TIMEOUT: "upstream request timeout",
  DEADLINE_EXCEEDED: "upstream request timeout",
  FAULT_ABORTED: "fault filter abort",
};

/** @returns undefined for errors that no answer stands for: a broken-off body, a fault of the caller's own */
export function localReply(error: MeshError): LocalReply | undefined {
  if (error.status === 0) return undefined;
  const phrase = PHRASES[error.code];
  const body = phrase === undefined ? error.message : `${phrase}\n${error.message}`;
  const headers = ["content-type", "text/plain", ERROR_HEADER, error.code];
  if (error.flag === OVERLOADED_FLAG) headers.push("x-envoy-overloaded", "true");
  return { status: error.status, headers, body };
}

/**
 * The same for a caller of gRPC, by whatever HTTP client: a head that is all there is, with a status of gRPC, as Envoy's answers
 * to such requests are.
 */
export function grpcReply(call: Call, { code, status, message }: MeshError): LocalReply | undefined {
  if (status === 0 || !isGrpc(call)) return undefined;
  const type = call.header("content-type") as string; // it is one of gRPC's
  const said = grpcMessageText(message);
  const grpcStatus = String(grpcStatusOfError(code, status, call.route?.fault));
  const headers = ["content-type", type, "grpc-status", grpcStatus, "grpc-message", said, ERROR_HEADER, code];
  return { status: 200, headers, body: undefined };
}

/** RFC 9110 §6.4.1. */
export function hasBody(method: string, status: number): boolean {
  return method !== "HEAD" && status >= 200 && status !== 204 && status !== 304;
}
