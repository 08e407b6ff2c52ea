/**
 * Whether a request would be let in, and why, without sending it: the functions that servers ask. policy-semantics §4.4 to
 * §4.8. What TLS would refuse before there is a request is said, too.
 */

import {
  type AccessedHttp,
  type AccessRequest,
  type AccessRule,
  type Claims,
  type PeerIdentity,
  parseSpiffeId,
  type Snapshot,
  SPIFFE_SCHEME,
} from "@inmesh/model";
import { MeshError } from "../errors.js";
import { claimedToken } from "./claimed-token.js";
import { clientAddress, plainAddress } from "./client-address.js";
import { readTarget } from "./request-target.js";

export interface AuthorizeRequest {
  /** @default "GET" */
  readonly method?: string;
  /** Whole, in place of `host` and `path`. */
  readonly url?: string;
  /** As it would be sent, with query. @default "/" */
  readonly path?: string;
  /** Host header. @default none */
  readonly host?: string;
  /** Of the workload. @default 0, which no rule about ports means */
  readonly port?: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** Of the caller's certificate, with or without `spiffe://`. @default plaintext */
  readonly principal?: string;
  /** Direct peer. @default none */
  readonly sourceIp?: string;
  /** Client behind proxies. @default by `x-forwarded-for` as far as proxies are trusted, else `sourceIp` */
  readonly remoteIp?: string;
  readonly destinationIp?: string;
  /** Of a valid token. @default no token */
  readonly claims?: Claims;
  /** @default none */
  readonly sni?: string;
  /** `tcp`: a connection that is no HTTP. @default "http" */
  readonly protocol?: "http" | "tcp";
}

export interface AuthorizedBy {
  readonly action: string;
  /** `namespace/name`. */
  readonly policy: string;
  readonly rule: number;
}

export interface Authorization {
  readonly allowed: boolean;
  /** What the caller gets: 200 stands for whatever the application answers. */
  readonly status: 200 | 400 | 401 | 403;
  readonly decidedBy: AuthorizedBy | null;
  /** As the application sees it, with query; empty where it does not. */
  readonly path: string;
  readonly audit: readonly AuthorizedBy[];
  readonly dryRun: readonly { readonly policy: string; readonly wouldAllow: boolean }[];
  readonly reason: string;
}

/**
 * @param snapshot of the workload that is called: its policy is that of its own process
 * @throws {MeshError} `CONFIG_INVALID` when `asked` is no request
 */
export function authorize(snapshot: Snapshot, asked: AuthorizeRequest): Authorization {
  const { security } = snapshot;
  const peer = peerOf(asked.principal);
  const port = asked.port ?? 0;
  const refusedByTls = whyNoConnection(snapshot, peer, port);
  const parts = asked.protocol === "tcp" ? undefined : partsOf(asked);
  if (refusedByTls !== undefined) return refused(403, refusedByTls, "");
  const read = parts && readTarget(parts, security.paths);
  if (read?.refusal !== undefined) return refused(400, `the request is refused: ${read.refusal}`, "");
  const path = read?.target ?? "";
  const { jwt, access } = security;
  const token = read === undefined ? { claims: asked.claims } : claimedToken(jwt, asked.claims);
  if (token.refusal !== undefined) return refused(token.status, token.refusal, path);
  const request = accessRequest(
    { ...asked, ...(token.claims && { claims: token.claims }) },
    peer,
    security.trustedProxies,
    read,
  );
  const custom = access.asksProviders ? access.custom(request) : undefined;
  if (custom !== undefined) {
    const authorizer = security.authorizers.get(custom.provider);
    const missing =
      authorizer === undefined ? `there is no extension provider "${custom.provider}"` : authorizer.refusal;
    const why = custom.refusal || missing;
    if (why !== "") return { ...refused(403, why, path), decidedBy: shownRule(custom.rule) };
  }
  const { allowed, decidedBy, reason, audit, dryRun } = access.decide(request);
  const asks = custom === undefined || !allowed ? "" : `; provider "${custom.provider}" is asked besides`;
  return {
    allowed,
    status: allowed ? 200 : 403,
    decidedBy: decidedBy && shownRule(decidedBy),
    path,
    audit: audit.map(shownRule),
    dryRun: dryRun.map(({ policy, wouldAllow }) => ({ policy: `${policy.namespace}/${policy.name}`, wouldAllow })),
    reason: `${reason}${asks}`,
  };
}

function refused(status: Authorization["status"], reason: string, path: string): Authorization {
  return { allowed: false, status, decidedBy: null, path, audit: [], dryRun: [], reason };
}

function shownRule({ action, policy, rule }: AccessRule): AuthorizedBy {
  return { action, policy: `${policy.namespace}/${policy.name}`, rule };
}

function peerOf(principal: string | undefined): PeerIdentity | undefined {
  if (principal === undefined || principal === "") return undefined;
  const id = principal.startsWith(SPIFFE_SCHEME) ? principal : `${SPIFFE_SCHEME}${principal}`;
  const peer = parseSpiffeId(id);
  if (peer !== undefined) return peer;
  throw invalid(`"${principal}" is no principal. Write for instance cluster.local/ns/shop/sa/cart`);
}

/** Refused before there is a request: who sends it sees a closed connection, and no status. */
function whyNoConnection(
  { security: { trustDomains, peer: policy } }: Snapshot,
  peer: PeerIdentity | undefined,
  port: number,
): string | undefined {
  if (peer !== undefined && !trustDomains.includes(peer.trustDomain)) {
    return `the connection is refused: trust domain ${peer.trustDomain} is not among ${trustDomains.join(", ")}`;
  }
  const { mode, source } = policy.ports.get(port) ?? policy;
  const by = source === null ? "" : ` (${source.resource.kind} ${source.resource.namespace}/${source.resource.name})`;
  if (mode === "STRICT" && peer === undefined) {
    return `the connection is refused: the workload takes only callers with a certificate of the mesh${by}`;
  }
  if (mode === "DISABLE" && peer !== undefined) {
    return `the connection is refused: the workload takes plaintext only${by}`;
  }
  return undefined;
}

const URL_PARTS = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)(.*)$/i;

function partsOf({ method = "GET", url, path, host }: AuthorizeRequest) {
  const parts = url === undefined ? undefined : URL_PARTS.exec(url);
  if (parts === null) throw invalid(`"${url}" is no URL. Write for instance http://cart/items`);
  const [, urlHost, urlPath] = parts ?? [];
  const authority = host ?? urlHost ?? "";
  const target = path ?? (urlPath || "/");
  return { method, target: method === "CONNECT" ? authority : target, authority, manyHosts: false };
}

function accessRequest(
  asked: AuthorizeRequest,
  peer: PeerIdentity | undefined,
  trustedProxies: number,
  read: { readonly path: string; readonly target: string; readonly authority: string } | undefined,
): AccessRequest {
  const headers = new Map(Object.entries(asked.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]));
  const sourceIp = plainAddress(asked.sourceIp);
  const http: AccessedHttp | undefined = read && {
    method: asked.method ?? "GET",
    path: read.path,
    target: read.target,
    authority: read.authority,
    header: (name) => headers.get(name),
  };
  return {
    http,
    peer,
    sourceIp,
    remoteIp: asked.remoteIp ?? clientAddress(headers.get("x-forwarded-for"), sourceIp, trustedProxies),
    destinationIp: asked.destinationIp ?? "",
    port: asked.port ?? 0,
    sni: asked.sni ?? "",
    claims: asked.claims,
  };
}

function invalid(message: string): MeshError {
  return new MeshError("CONFIG_INVALID", message);
}
