/** What an external authorizer is asked: the request it is to judge, as far as policy lets it see it. policy-semantics §4.7. */

import type { ExternalAuthorizer } from "@inmesh/model";
import type { Arrival, BodyStart } from "./arrival.js";
import { checkHeaderValue } from "./check-header-value.js";
import type { CheckedRequest } from "./external-check.js";
import { NamePatterns } from "./name-patterns.js";

export interface AuthorizerRequest {
  readonly method: string;
  readonly path: string;
  /** Flat, lower-case, `host` among them; the length is the client's to say. */
  readonly headers: readonly string[];
  readonly body: Uint8Array;
}

/** Of a connection or of the body's length: they are not the request's. */
const NEVER_TOLD: ReadonlySet<string> = new Set([
  ...["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect"],
  ...["content-length", "host", "authorization"],
]);

/** @param start undefined: the authorizer does not look at bodies */
export function authorizerRequest(
  authorizer: ExternalAuthorizer,
  checked: CheckedRequest,
  start: BodyStart | undefined,
): AuthorizerRequest {
  const { arrival, target, authority } = checked;
  const body = start?.bytes ?? new Uint8Array(0);
  const headers = ["host", authority];
  const own = new Set(authorizer.additionalHeaders.map(([name]) => name.toLowerCase()));
  // Always, as Envoy: whoever is asked whether a request may pass has to know who says to make it.
  const authorization = arrival.header("authorization");
  if (authorization !== undefined && !own.has("authorization")) headers.push("authorization", joined(authorization));
  const patterns = new NamePatterns(authorizer.includeRequestHeaders);
  for (const name of namesOf(arrival)) {
    if (own.has(name) || NEVER_TOLD.has(name) || !patterns.match(name)) continue;
    headers.push(name, joined(arrival.header(name) ?? ""));
  }
  for (const [name, written] of authorizer.additionalHeaders) {
    const value = checkHeaderValue(written, checked);
    if (value !== "") headers.push(name.toLowerCase(), value);
  }
  if (start !== undefined && body.length > 0) headers.push("x-envoy-auth-partial-body", String(!start.complete));
  return { method: arrival.method, path: `${authorizer.pathPrefix}${target}`, headers, body };
}

function namesOf({ lines }: Arrival): ReadonlySet<string> {
  const names = new Set<string>();
  for (let index = 0; index < lines.length; index += 2) {
    const name = lines[index]!.toLowerCase(); // flat pairs
    if (!name.startsWith(":")) names.add(name);
  }
  return names;
}

function joined(value: string | readonly string[]): string {
  return typeof value === "string" ? value : value.join(",");
}
