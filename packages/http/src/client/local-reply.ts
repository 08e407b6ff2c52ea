/** Failures made by the mesh, as the answers Envoy would give: the same policy then means the same to an application. */

import type { LocalReply, MeshError, MeshErrorCode } from "@inmesh/core";

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

/** RFC 9110 §6.4.1. */
export function hasBody(method: string, status: number): boolean {
  return method !== "HEAD" && status >= 200 && status !== 204 && status !== 304;
}
