/** Why a token is no good: what its caller hears, in Envoy's words (seen with 1.40), and what the operator reads. */

import type { InvalidToken } from "@inmesh/core";

/** For the caller. Nothing of the token is ever part of it. */
export const WORDS = {
  missing: "Jwt is missing",
  form: "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections",
  headerBase64: "Jwt header is an invalid Base64url encoded",
  headerJson: "Jwt header is an invalid JSON",
  alg: "Jwt header [alg] field is missing or not a string",
  algUnsupported: "Jwt header [alg] is not supported",
  kid: "Jwt header [kid] field is not a string",
  payloadBase64: "Jwt payload is an invalid Base64url encoded",
  payloadJson: "Jwt payload is an invalid JSON",
  signatureBase64: "Jwt signature is an invalid Base64url encoded",
  issuer: "Jwt issuer is not configured",
  expired: "Jwt is expired",
  notYet: "Jwt not yet valid",
  audience: "Audiences in Jwt are not allowed",
  noKey: "Jwks doesn't have key to match kid or alg from Jwt",
  noKeys: "Jwks remote fetch is failed",
  signature: "Jwt verification fails",
} as const;

export function refusal(message: string, reason = message, status: 401 | 403 = 401): InvalidToken {
  return { kind: "invalid", status, message, reason };
}
