/**
 * What the servers of one workload ask of those who call it: PeerAuthentication, RequestAuthentication and
 * AuthorizationPolicy, compiled. policy-semantics §4. It holds in every MeshMode: switching policy off opens no door.
 */

import type { ResourceRef } from "../resource.js";
import type { PeerIdentity } from "../spiffe-id.js";
import type { RuleRef } from "./route.js";

/** `DISABLE`: plaintext only. `PERMISSIVE`: both. `STRICT`: a certificate of the mesh, or no connection. */
export type PeerMode = "DISABLE" | "PERMISSIVE" | "STRICT";

export interface PeerModeInForce {
  readonly mode: PeerMode;
  /** What says so; null where nothing does, and the default holds. */
  readonly source: RuleRef | null;
}

export interface PeerPolicy extends PeerModeInForce {
  /** Of workload ports that have a mode of their own. */
  readonly ports: ReadonlyMap<number, PeerModeInForce>;
}

/** Where a token may stand in a request. Header and cookie names are as written; header names compare without case. */
export interface TokenPlaces {
  readonly headers: readonly { readonly name: string; readonly prefix: string }[];
  readonly params: readonly string[];
  readonly cookies: readonly string[];
}

/** One issuer of tokens. policy-semantics §4.3. */
export interface JwtRule {
  /** Of `iss`, exact; empty: any. */
  readonly issuer: string;
  /** One of them must be among the token's `aud`. Empty: not looked at. */
  readonly audiences: readonly string[];
  /** Keys written into the policy; empty: fetched. */
  readonly jwks: string;
  /** Where keys are fetched; empty beside an empty `jwks`: found by OIDC discovery at the issuer. */
  readonly jwksUri: string;
  readonly places: TokenPlaces;
  /** A request without a token of this rule is refused, whatever others it has. @default false */
  readonly required: boolean;
  /** The application gets the token, too. @default false */
  readonly forwardsToken: boolean;
  /** Header that gets the payload, base64url; empty: none. */
  readonly payloadHeader: string;
  /** Headers that get one claim each. The claim's path is by dots. */
  readonly claimHeaders: readonly { readonly header: string; readonly claim: string }[];
  /** Claims that are lists written with spaces, beside `scope` and `permission`. */
  readonly spaceDelimited: readonly string[];
  /** For fetching keys, in ms. @default 5,000 */
  readonly timeoutMs: number;
  readonly resource: RuleRef;
}

/** Payload of a verified token. */
export type Claims = Readonly<Record<string, unknown>>;

/** What may be asked of a request, or of a connection, by rules about access. */
export interface AccessRequest {
  /** Absent on a connection that is no HTTP. */
  readonly http?: AccessedHttp | undefined;
  /** Undefined: plaintext, or a certificate of nobody. */
  readonly peer: PeerIdentity | undefined;
  /** The direct peer of the connection; empty where it has no address. */
  readonly sourceIp: string;
  /** The client behind trusted proxies, else `sourceIp`. */
  readonly remoteIp: string;
  /** Of this process. */
  readonly destinationIp: string;
  /** Workload port. */
  readonly port: number;
  readonly sni: string;
  /** Of the token that was verified; undefined: none came. */
  readonly claims?: Claims | undefined;
}

export interface AccessedHttp {
  readonly method: string;
  /** Normalised, without query: what the application sees. */
  readonly path: string;
  /** The same with its query. */
  readonly target: string;
  /** Host header or :authority, port included if written. */
  readonly authority: string;
  /** Values of a header by lower-case name; a string when there is one line, a list for repeated lines. */
  header(name: string): string | readonly string[] | undefined;
}

export type AccessAction = "ALLOW" | "DENY" | "AUDIT" | "CUSTOM";

/** One rule of an AuthorizationPolicy. */
export interface AccessRule {
  readonly action: AccessAction;
  readonly policy: ResourceRef;
  /** Index in `spec.rules`; -1 for a policy without any, and for a refused document that denies what it selects. */
  readonly rule: number;
}

/** What a policy with the annotation `istio.io/dry-run` would have decided. */
export interface DryRunDecision {
  readonly policy: ResourceRef;
  readonly wouldAllow: boolean;
}

export interface AccessDecision {
  readonly allowed: boolean;
  /** The rule that did it; null where no ALLOW rule matched, or no policy speaks. */
  readonly decidedBy: AccessRule | null;
  /** One sentence for operators. Never for callers, who hear `RBAC: access denied` only. */
  readonly reason: string;
  /** AUDIT rules that matched. */
  readonly audit: readonly AccessRule[];
  readonly dryRun: readonly DryRunDecision[];
}

/** A CUSTOM rule that matched: somebody else has to be asked, before tokens are looked at (policy-semantics §9, trap 19). */
export interface CustomAccess {
  readonly rule: AccessRule;
  /** Of the mesh's `extensionProviders`. */
  readonly provider: string;
  /** Why nobody can be asked, so that the request is denied; empty: nothing is in the way. */
  readonly refusal: string;
}

export interface AccessControl {
  /** False: everybody may do everything, and nothing need be asked. */
  readonly active: boolean;
  /** A path in another case than a rule has it gets around the rule: a DENY of it, or an exception by `notPaths`. */
  readonly comparesPathCase: boolean;
  /** Whether any CUSTOM rule is there. */
  readonly asksProviders: boolean;
  custom(request: AccessRequest): CustomAccess | undefined;
  /** DENY, then ALLOW, and what AUDIT and dry-run policies say beside them. */
  decide(request: AccessRequest): AccessDecision;
}

/** MeshConfig pathNormalization; `DEFAULT` is `BASE`. */
export type PathNormalization = "NONE" | "BASE" | "MERGE_SLASHES" | "DECODE_AND_MERGE_SLASHES";

/** What becomes of `x-forwarded-client-cert`, by Envoy's names. @default SANITIZE_SET */
export type ForwardedClientCert =
  | "SANITIZE"
  | "FORWARD_ONLY"
  | "APPEND_FORWARD"
  | "SANITIZE_SET"
  | "ALWAYS_FORWARD_ONLY";

/** Service that answers whether a request may pass: MeshConfig `extensionProviders[]`, `envoyExtAuthzHttp` or `envoyExtAuthzGrpc`. */
export interface ExternalAuthorizer {
  readonly name: string;
  /** By which it is asked. What is said below of headers and paths is HTTP's: over gRPC it is told all, and says itself what changes. */
  readonly protocol: "http" | "grpc";
  /** Host and port of its service. */
  readonly host: string;
  readonly port: number;
  /** In ms. @default 600,000 */
  readonly timeoutMs: number;
  /** It cannot be asked: the request passes. @default false */
  readonly failOpen: boolean;
  /** It cannot be asked: what the caller gets. @default 403 */
  readonly statusOnError: number;
  /** Before the path of the request. */
  readonly pathPrefix: string;
  /** Lower-case names, exact or with `*` at one end. Host, method, path and Content-Length are always told. */
  readonly includeRequestHeaders: readonly string[];
  readonly additionalHeaders: readonly (readonly [name: string, value: string])[];
  readonly body?: { readonly maxBytes: number; readonly allowPartial: boolean; readonly packAsBytes: boolean };
  readonly headersToUpstreamOnAllow: readonly string[];
  readonly headersToDownstreamOnAllow: readonly string[];
  readonly headersToDownstreamOnDeny: readonly string[];
  /** What of it this version cannot do, in words: requests that it should judge are then denied. Empty: nothing. */
  readonly refusal: string;
}

export interface SecurityPolicy {
  readonly peer: PeerPolicy;
  /** Of every RequestAuthentication that means the workload, in order of issuer. */
  readonly jwt: readonly JwtRule[];
  readonly access: AccessControl;
  /** By name. */
  readonly authorizers: ReadonlyMap<string, ExternalAuthorizer>;
  readonly paths: PathNormalization;
  /** MeshConfig writes `pathNormalization`: paths are brought into that spelling whether a rule asks for them or not. @default false */
  readonly normalises: boolean;
  /** Paths are matched in lower case, for frameworks whose routes ignore it. The application's path stays. @default false */
  readonly ignoresPathCase: boolean;
  /** The mesh's own, then its aliases: peers of others are refused in the handshake. */
  readonly trustDomains: readonly string[];
  /** Proxies in front whose `x-forwarded-for` entry is believed. @default 0 */
  readonly trustedProxies: number;
  readonly forwardedClientCert: ForwardedClientCert;
  /** Of servers of the mesh. @default TLSv1.2 */
  readonly minTlsVersion: "TLSv1.2" | "TLSv1.3";
}

const OPEN: AccessDecision = Object.freeze({
  allowed: true,
  decidedBy: null,
  reason: "no AuthorizationPolicy speaks about this workload",
  audit: Object.freeze([]),
  dryRun: Object.freeze([]),
});

/** Nobody has written anything about who may call. */
export const NO_ACCESS_CONTROL: AccessControl = Object.freeze({
  active: false,
  comparesPathCase: false,
  asksProviders: false,
  custom: () => undefined,
  decide: () => OPEN,
});

/** Without a document: Istio's defaults. */
export function defaultSecurity(trustDomain: string): SecurityPolicy {
  return {
    peer: { mode: "PERMISSIVE", source: null, ports: new Map() },
    jwt: [],
    access: NO_ACCESS_CONTROL,
    authorizers: new Map(),
    paths: "BASE",
    normalises: false,
    ignoresPathCase: false,
    trustDomains: [trustDomain],
    trustedProxies: 0,
    forwardedClientCert: "SANITIZE_SET",
    minTlsVersion: "TLSv1.2",
  };
}
