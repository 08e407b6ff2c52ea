/** What callers hear of the mesh's security: Envoy's words and nothing of why, which is for operators. */

import type { Rejection } from "../admission/rejection.js";
import { MESH_ERRORS } from "../errors.js";
import type { InvalidToken } from "./authenticate.js";
import type { ReadTarget } from "./request-target.js";

function rejection(code: Rejection["code"], body: string): Rejection {
  const { status, grpcStatus } = MESH_ERRORS[code];
  return { code, status, grpcStatus, headers: [], body };
}

export const ACCESS_DENIED = rejection("ACCESS_DENIED", "RBAC: access denied");
export const REQUEST_INVALID = rejection("REQUEST_INVALID", "Bad Request");
export const NO_POLICY_YET = rejection("CONFIG_UNAVAILABLE", "no policy yet");

/** Differs: Envoy's realm is the whole URL, with a token that stood in its query. */
export function tokenRejection({ status, message }: InvalidToken, { authority, path }: ReadTarget): Rejection {
  const { grpcStatus } = MESH_ERRORS[status === 401 ? "TOKEN_INVALID" : "ACCESS_DENIED"];
  const realm = `http://${authority}${path}`.replaceAll(/["\\]/g, encodeURIComponent);
  const headers = ["www-authenticate", `Bearer realm="${realm}", error="invalid_token"`];
  return { code: "TOKEN_INVALID", status, grpcStatus, headers, body: message };
}
