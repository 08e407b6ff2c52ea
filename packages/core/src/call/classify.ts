/** Translates what a transport reports into our codes: the one place that knows foreign error codes (pitfalls G6, R1). */

import { MeshError, type MeshErrorCode } from "../errors.js";
import type { Attempt } from "./attempt.js";

/** Before a connection stood: nothing was sent, whatever the request was. */
const CONNECT = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ENOENT",
  "EADDRNOTAVAIL",
  "EHOSTDOWN",
  "UND_ERR_CONNECT_TIMEOUT",
]);

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

/** @returns a MeshError that says where, how long it took and what the transport said */
export function classifyFailure(attempt: Attempt, cause: unknown): MeshError {
  if (cause instanceof MeshError) return cause;
  const code = errorCode(cause);
  const kind = kindOf(attempt, code);
  const id = attempt.endpoint.endpoint.id;
  const said = cause instanceof Error ? cause.message : String(cause);
  return new MeshError(
    kind,
    `attempt ${attempt.number} to ${id} ${WHAT[kind]}: ${code === "" ? said : `${code}, ${said}`}`,
    {
      ...attempt.call.place,
      origin: "remote",
      cause,
    },
  );
}

type Failure = Extract<MeshErrorCode, "CONNECT_FAILED" | "UPSTREAM_RESET" | "UPSTREAM_PROTOCOL" | "RESPONSE_TRUNCATED">;

const WHAT: Record<Failure, string> = {
  CONNECT_FAILED: "could not connect, nothing was sent",
  UPSTREAM_RESET: "lost its connection before an answer came; whether the request was carried out is unknown",
  UPSTREAM_PROTOCOL: "got something that is no valid HTTP answer",
  RESPONSE_TRUNCATED: "lost its connection in the middle of the answer",
};

function kindOf(attempt: Attempt, code: string): Failure {
  if (attempt.phase === "answered") return "RESPONSE_TRUNCATED";
  if (attempt.phase === "queued" || CONNECT.has(code)) return "CONNECT_FAILED";
  return code.startsWith("HPE_") ? "UPSTREAM_PROTOCOL" : "UPSTREAM_RESET";
}
