/** What an external authorizer's answer means for the request. Seen with Envoy 1.40 under istiod 1.26. */

import type { ExternalAuthorizer } from "@inmesh/model";
import type { Rejection } from "../admission/rejection.js";
import { firstValue } from "../call/first-value.js";
import type { ExternalDenial, ExternalPass } from "./external-check.js";
import { NamePatterns } from "./name-patterns.js";
import { ACCESS_DENIED } from "./rejections.js";

export interface AuthorizerAnswer {
  readonly status: number;
  /** Flat, as they came. */
  readonly headers: readonly string[];
  readonly body: Uint8Array;
}

/** Of a connection, of the body's form, or told by whoever answers the caller. */
const HOP: ReadonlySet<string> = new Set([
  ...["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "date"],
  ...["content-length", "host"],
]);
/** A caller cannot do what it is told without them, whatever policy lists. */
const ALWAYS_DOWN: ReadonlySet<string> = new Set(["location", "www-authenticate", "proxy-authenticate"]);
const OURS = "x-inmesh-";
/** Set on answers that the mesh gave in place of the authorizer: whatever they say, it was not asked. */
const MESH_ERROR = "x-inmesh-error";

/** 413: it is asked about whole bodies only, and this one is larger than it takes. */
export const BODY_TOO_LARGE: ExternalDenial = {
  kind: "denial",
  reason: "the body is larger than the authorizer takes (includeRequestBodyInCheck.maxRequestBytes)",
  rejection: { code: "ACCESS_DENIED", status: 413, grpcStatus: 2, headers: [], body: "Payload Too Large" },
};

/** @throws in words, where it is no answer of the authorizer's: see `unasked` */
export function authorizerVerdict(
  authorizer: ExternalAuthorizer,
  { status, headers, body }: AuthorizerAnswer,
): ExternalPass | ExternalDenial {
  const code = firstValue(headers, MESH_ERROR);
  if (code !== undefined) throw new Error(`the mesh answered in its place with ${code}`);
  if (status >= 500 || status < 200) throw new Error(`it answers with status ${status}`);
  if (status !== 200) return denial(authorizer, status, headers, body);
  return {
    kind: "pass",
    remove: [],
    set: chosen(headers, new NamePatterns(authorizer.headersToUpstreamOnAllow)),
    answer: chosen(headers, new NamePatterns(authorizer.headersToDownstreamOnAllow)),
  };
}

/** It was asked and gave no answer: the definition says what then. */
export function unasked(
  { name, failOpen, statusOnError }: ExternalAuthorizer,
  why: string,
): ExternalPass | ExternalDenial {
  if (failOpen) return { kind: "pass", remove: [], set: [], answer: [] };
  const rejection: Rejection = {
    ...{ code: "ACCESS_DENIED", status: statusOnError, grpcStatus: httpToGrpcStatus(statusOnError) },
    ...{ headers: [], body: "" },
  };
  return { kind: "denial", rejection, reason: silence(name, why) };
}

/** It cannot even be asked: denied, whatever the definition says, as Istio does where a provider is broken. */
export function unaskable({ name }: ExternalAuthorizer, why: string): ExternalDenial {
  return { kind: "denial", rejection: ACCESS_DENIED, reason: silence(name, why) };
}

export function silence(name: string, why: string): string {
  return `the authorizer "${name}" cannot be asked: ${why}`;
}

function denial(
  { name, headersToDownstreamOnDeny: listed }: ExternalAuthorizer,
  status: number,
  headers: readonly string[],
  body: Uint8Array,
): ExternalDenial {
  const patterns = new NamePatterns(listed);
  const told = chosen(headers, {
    match: (each) => listed.length === 0 || ALWAYS_DOWN.has(each) || patterns.match(each),
  });
  return {
    kind: "denial",
    rejection: { code: "ACCESS_DENIED", status, grpcStatus: httpToGrpcStatus(status), headers: told, body },
    reason: `the authorizer "${name}" denies it with status ${status}`,
  };
}

/** In lower case. */
function chosen(headers: readonly string[], patterns: Pick<NamePatterns, "match">): readonly string[] {
  const flat: string[] = [];
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index]!.toLowerCase(); // flat pairs
    if (HOP.has(name) || name.startsWith(OURS) || !patterns.match(name)) continue;
    flat.push(name, headers[index + 1] ?? "");
  }
  return flat;
}

/** As gRPC's clients map statuses of HTTP. */
export function httpToGrpcStatus(status: number): number {
  switch (status) {
    case 400:
      return 13;
    case 401:
      return 16;
    case 403:
      return 7;
    case 404:
      return 12;
    case 429:
    case 502:
    case 503:
    case 504:
      return 14;
    default:
      return 2;
  }
}
