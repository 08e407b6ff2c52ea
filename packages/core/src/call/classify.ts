/** Translates what a transport reports into our codes: the one place that knows foreign error codes (pitfalls G6, R1). */

import { MeshError, type MeshErrorCode, messageOf } from "../errors.js";
import type { Attempt, Outcome } from "./attempt.js";
import { WRONG_PEER_CODE } from "./tls.js";

/** Nodes of an error's chain looked at before giving up; chains may be circular. */
const MAX_CAUSES = 8;

/** First `code` found along the chain of causes and aggregated errors; empty when there is none. */
export function errorCode(error: unknown): string {
  let current = error;
  for (let depth = 0; depth < MAX_CAUSES; depth++) {
    if (typeof current !== "object" || current === null) return "";
    const { code, cause, errors } = current as { code?: unknown; cause?: unknown; errors?: unknown };
    if (typeof code === "string" && code !== "") return code;
    current = cause ?? (Array.isArray(errors) ? errors[0] : undefined);
  }
  return "";
}

/** Failures before a connection stood that say nothing about the endpoint: our own limits, our own closing. */
const OURS = new Set([
  "EMFILE",
  "ENFILE",
  "ENOBUFS",
  "ENOMEM",
  "EADDRNOTAVAIL",
  "EACCES",
  "EPERM",
  "UND_ERR_CLOSED",
  "UND_ERR_DESTROYED",
  "UND_ERR_ABORTED",
]);

/** Names are looked up here, by a server of ours: that it failed says nothing of the endpoint. */
const LOOKUPS = new Set([
  "ENOTFOUND",
  "EAI_AGAIN",
  "EAI_FAIL",
  "EAI_NODATA",
  "EAI_NONAME",
  "ESERVFAIL",
  "ETIMEOUT",
  "EREFUSED",
]);

/** Ends of a wait, which a loop that stood still may bring about by itself. A closed port is one however late it is noticed. */
const WAITS = new Set(["ETIMEDOUT", "UND_ERR_CONNECT_TIMEOUT"]);

/** The endpoint did not take the connection, and it was not for want of anything here. */
export function isRefusal({ code, cause }: MeshError): boolean {
  return code === "WRONG_PEER" || (code === "CONNECT_FAILED" && !OURS.has(errorCode(cause)));
}

/** Nobody listens there, or the way there is refused: a wait that ended in vain says less. */
export function isClosed(error: MeshError): boolean {
  const code = errorCode(error.cause);
  return isRefusal(error) && error.code !== "WRONG_PEER" && code !== "" && !WAITS.has(code) && !LOOKUPS.has(code);
}

/** The attempt ended without a whole answer, and the peer is to blame as far as can be told. */
export function isPeersFault({ code, origin, cause }: MeshError): boolean {
  if (origin !== "remote") return false;
  return code !== "CONNECT_FAILED" || !(OURS.has(errorCode(cause)) || LOOKUPS.has(errorCode(cause)));
}

/** It can be the doing of an event loop that stood still meanwhile. */
export function isPerhapsLateness({ code, cause }: MeshError): boolean {
  if (code === "WRONG_PEER") return false;
  return code !== "CONNECT_FAILED" || WAITS.has(errorCode(cause));
}

/** How an attempt that was answered counts: 4xx and 3xx are the caller's business (pitfalls, "counting the wrong things"). */
export function answerOutcome(status: number): Outcome {
  return status >= 500 ? "failure" : "success";
}

/** @returns a MeshError that says where and what the transport said; the call's own error tells the whole story */
export function classifyFailure(attempt: Attempt, cause: unknown): MeshError {
  if (cause instanceof MeshError) return cause;
  const kind = kindOf(attempt, cause);
  const code = errorCode(cause);
  const said = messageOf(cause);
  return new MeshError(
    kind,
    `attempt ${attempt.number} to ${attempt.endpoint.endpoint.id} ${WHAT[kind]}: ${said.includes(code) || kind === "WRONG_PEER" ? said : `${said} (${code})`}${rejectionHint(attempt, kind)}`,
    { ...attempt.call.place, origin: "remote", cause },
  );
}

export function refusedStream(attempt: Attempt, cause: unknown): MeshError {
  const said = messageOf(cause);
  return new MeshError(
    "STREAM_REFUSED",
    `attempt ${attempt.number} to ${attempt.endpoint.endpoint.id} was refused before anything was done with it: ${said}`,
    { ...attempt.call.place, origin: "remote", cause },
  );
}

/**
 * With TLS 1.3 a server that does not take our certificate looks like one that lost its connection: it says so after our
 * handshake is over, by closing (mtls.md §4).
 */
function rejectionHint(attempt: Attempt, kind: Failure): string {
  if (attempt.showed === "" || kind !== "UPSTREAM_RESET") return "";
  attempt.rejected = true;
  return `; it was a new connection on which this process showed itself as ${attempt.showed}, so the server may have refused that identity: its log says so`;
}

type Failure = Extract<
  MeshErrorCode,
  "CONNECT_FAILED" | "WRONG_PEER" | "UPSTREAM_RESET" | "UPSTREAM_PROTOCOL" | "RESPONSE_TRUNCATED"
>;

const WHAT: Record<Failure, string> = {
  CONNECT_FAILED: "could not connect, nothing was sent",
  WRONG_PEER: "met the wrong peer, nothing was sent",
  UPSTREAM_RESET: "lost its connection before an answer came",
  UPSTREAM_PROTOCOL: "got something that is no valid HTTP answer",
  RESPONSE_TRUNCATED: "lost its connection in the middle of the answer",
};

/**
 * By how far the attempt had come and not by error code: an established connection can end with EHOSTUNREACH too, and
 * calling that "nothing was sent" would send a POST twice.
 */
function kindOf({ phase, sent }: Attempt, cause: unknown): Failure {
  if (phase === "answered") return "RESPONSE_TRUNCATED";
  const code = errorCode(cause);
  if (!sent) return code === WRONG_PEER_CODE ? "WRONG_PEER" : "CONNECT_FAILED";
  return code.startsWith("HPE_") || code === "ERR_HTTP2_ERROR" ? "UPSTREAM_PROTOCOL" : "UPSTREAM_RESET"; // HTTP/1.1, HTTP/2
}
