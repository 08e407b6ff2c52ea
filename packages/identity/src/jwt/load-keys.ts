/** The way to a key set that is not written into policy: an address, or the issuer's own word (OIDC discovery). */

import type { JwtRule } from "@inmesh/model";
import { type FetchOptions, fetchText, shownAddress } from "./fetch-text.js";
import { parseJsonObject } from "./json-object.js";
import { own } from "./parse-token.js";

const DISCOVERY = "/.well-known/openid-configuration";

/** Said of the source of keys to the operator. */
export function shownSource({ jwksUri, issuer }: JwtRule): string {
  return shownAddress(jwksUri === "" ? discoveryAddress(issuer) : jwksUri);
}

export async function loadKeys({ jwksUri, issuer }: JwtRule, options: FetchOptions): Promise<string> {
  if (jwksUri !== "") return fetchText(jwksUri, options);
  const { clock, timeoutMs } = options;
  const startedAt = clock.now();
  const document = parseJsonObject(await fetchText(discoveryAddress(issuer), options));
  const address = document && own(document, "jwks_uri");
  if (document === undefined || typeof address !== "string")
    throw new Error("the discovery document names no jwks_uri");
  // OpenID Connect Discovery §4.3: it speaks for the issuer that was asked, or for nobody.
  if (own(document, "issuer") !== issuer) throw new Error("the discovery document is another issuer's");
  return fetchText(address, { ...options, timeoutMs: Math.max(1, timeoutMs - (clock.now() - startedAt)) });
}

function discoveryAddress(issuer: string): string {
  return `${issuer.replace(/\/$/, "")}${DISCOVERY}`;
}
