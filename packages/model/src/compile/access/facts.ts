/** What AuthorizationPolicies can ask about. policy-semantics §4.5, §4.6. */

import type { AccessRequest, Claims } from "../../snapshot/security.js";
import type { AddressBits } from "./address-bits.js";
import type { Fact } from "./clause.js";

const fact = (name: string, read: Fact["read"]): Fact => ({ name, read });

export const PRINCIPAL = fact("principal", ({ peer }) => peer?.principal);
export const TRUST_DOMAIN = fact("trustDomain", ({ peer }) => peer?.trustDomain);
/** Of a name of another form whatever stands where a namespace would. */
export const NAMESPACE = fact("namespace", ({ peer }) => {
  if (peer === undefined) return undefined;
  return peer.namespace || [...peer.id.matchAll(/\/ns\/([^/]+)(?=\/)/g)].map(([, name = ""]) => name);
});
/** `namespace/serviceAccount`. */
export const SERVICE_ACCOUNT = fact("serviceAccount", ({ peer }) =>
  peer === undefined || peer.serviceAccount === "" ? undefined : `${peer.namespace}/${peer.serviceAccount}`,
);
export const METHOD = fact("method", ({ http }) => http?.method);
export const PATH = fact("path", ({ http }) => http?.path);
/** Names of hosts have no case. */
export const HOST = fact("host", ({ http }) => http?.authority.toLowerCase());
export const PORT = fact("port", ({ port }) => String(port));
export const SNI = fact("sni", ({ sni }) => sni || undefined);
export const AUDIENCES = fact("audiences", ({ claims }) => claims && textsAt(claims, ["aud"]));
export const PRESENTER = fact("presenter", ({ claims }) => claims && textsAt(claims, ["azp"]));
export const ISSUER = fact("issuer", ({ claims }) => claims && textAt(claims, "iss"));
export const SUBJECT = fact("subject", ({ claims }) => claims && textAt(claims, "sub"));

/**
 * Each line for itself, as Envoy 1.40 does (policy-semantics §10.1). Pseudo headers are there whatever the version of HTTP:
 * a rule about `:path` that no request ever met would be a DENY that denies nothing.
 */
export function headerFact(name: string): Fact {
  return fact(`header ${name}`, PSEUDO_HEADERS[name] ?? (({ http }) => http?.header(name)));
}

const PSEUDO_HEADERS: Readonly<Record<string, Fact["read"]>> = {
  host: ({ http }) => http?.authority,
  ":authority": ({ http }) => http?.authority,
  ":method": ({ http }) => http?.method,
  ":path": ({ http }) => http?.target,
  ":scheme": (request) => {
    const told = forwardedProto(request);
    return typeof told === "string" && /^https?$/i.test(told) ? told.toLowerCase() : request.http && schemeOf(request);
  },
  "x-forwarded-proto": forwardedProto,
};

/** Envoy writes it where nobody has. */
function forwardedProto(request: AccessRequest): string | readonly string[] | undefined {
  return request.http && (request.http.header("x-forwarded-proto") ?? schemeOf(request));
}

function schemeOf({ peer }: AccessRequest): string {
  return peer === undefined ? "http" : "https";
}

export function claimFact(path: readonly string[]): Fact {
  return fact(`claim ${path.join("\n")}`, ({ claims }) => claims && textsAt(claims, path));
}

/** Addresses as bits. */
export function addressFacts(bits: AddressBits) {
  return {
    source: fact("sourceIp", ({ sourceIp }) => bits.of(sourceIp)),
    remote: fact("remoteIp", ({ remoteIp }) => bits.of(remoteIp)),
    destination: fact("destinationIp", ({ destinationIp }) => bits.of(destinationIp)),
  };
}

export type AddressFacts = ReturnType<typeof addressFacts>;

/** Claims that are lists written as text with spaces, whether a rule says so or not. */
const SPACED: ReadonlySet<string> = new Set(["scope", "permission"]);

/** Texts, or lists of them: to anything else no pattern fits. */
function textsAt(claims: Claims, path: readonly string[]): string | readonly string[] | undefined {
  let at: unknown = claims;
  for (const key of path) {
    if (typeof at !== "object" || at === null || Array.isArray(at) || !Object.hasOwn(at, key)) return undefined;
    at = (at as Claims)[key];
  }
  if (typeof at === "string") return path.length === 1 && SPACED.has(path[0] ?? "") ? at.split(" ") : at;
  return Array.isArray(at) ? at.filter((each) => typeof each === "string") : undefined;
}

function textAt(claims: Claims, key: string): string | undefined {
  const value = Object.hasOwn(claims, key) ? claims[key] : undefined;
  return typeof value === "string" && value !== "" ? value : undefined;
}
