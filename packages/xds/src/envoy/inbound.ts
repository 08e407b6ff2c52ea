/**
 * What listeners for the process's own ports ask of those who call: transport sockets are the modes of mTLS, RBAC filters the
 * rules of access, jwt_authn the tokens. A chain is found by the workload's port, as virtualInbound has it, or by the
 * listener's own address, as gRPC's servers have it.
 */

import type {
  ExternalAuthorizer,
  ForwardedClientCert,
  JwtRule,
  PathNormalization,
  PeerMode,
  RateLimitPolicy,
  RuleRef,
} from "@inmesh/model";
import { type CommonTls, checkCommon, validationOf } from "./cluster-tls.js";
import { type AskedAuthorizer, askedAuthorizer, type ExtAuthz, NOBODY_ASKED } from "./ext-authz.js";
import { compileJwt, type JwtFilter } from "./jwt.js";
import { type FilterChain, type HttpManager, type ListenerSpec, managerOf, SILENT_FILTERS } from "./listener.js";
import { type ChainAccess, compileChainAccess, type RbacFilter } from "./rbac.js";
import type { Findings } from "./refusal.js";
import { type AnyMessage, anyOf, anyType, durationMs, type Fields, fraction, type RuntimeFraction } from "./schema.js";

/** One port, or all that no other chain is for. */
export interface InboundPort {
  /** 0: every other one. */
  readonly port: number;
  readonly mode: PeerMode;
  readonly http: ChainAccess | undefined;
  readonly tcp: ChainAccess | undefined;
  /** Who is asked from outside. */
  readonly authorizers: readonly ExternalAuthorizer[];
  readonly jwt: readonly JwtRule[];
  readonly rateLimits: readonly RateLimitPolicy[];
  readonly paths: PathNormalization;
  readonly normalises: boolean;
  readonly forwardedClientCert: ForwardedClientCert;
  readonly minTlsVersion: "TLSv1.2" | "TLSv1.3";
  /** Of certificates that are taken; empty: the mesh's own. */
  readonly trustDomains: readonly string[];
}

const HTTP = "envoy.extensions.filters.http";
const EXT_AUTHZ = `${HTTP}.ext_authz.v3.ExtAuthz`;
const NETWORK = "envoy.extensions.filters.network";
const DOWNSTREAM = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";

type Downstream = Fields<{
  common_tls_context: CommonTls;
  require_client_certificate: boolean;
  require_sni: boolean;
  ocsp_staple_policy: string | number;
}>;

type ServerManager = HttpManager &
  Fields<{
    normalize_path: boolean;
    merge_slashes: boolean;
    path_with_escaped_slashes_action: string | number;
    forward_client_cert_details: string | number;
  }>;

/** Names istiod gives to chains of no port of the workload's: what comes back to the proxy itself. */
const LOOP = "virtualInbound-blackhole";

/** @throws nothing: faults are among the findings, and refuse the listener */
export function inboundPorts(spec: ListenerSpec, findings: Findings): readonly InboundPort[] {
  const byPort = new Map<number, FilterChain[]>();
  const ownPort = spec.name?.startsWith("virtualInbound") ? 0 : (spec.address?.socket_address?.port_value ?? 0);
  const chains = [...(spec.filter_chains ?? []), ...(spec.default_filter_chain ? [spec.default_filter_chain] : [])];
  for (const chain of chains) {
    if (chain.name === LOOP) continue;
    const port = chain.filter_chain_match?.destination_port ?? ownPort;
    byPort.set(port, [...(byPort.get(port) ?? []), chain]);
  }
  return [...byPort].map(([port, list]) => portOf(port, list, findings));
}

function portOf(port: number, chains: readonly FilterChain[], findings: Findings): InboundPort {
  const sockets = chains.map(({ transport_socket }) => downstream(transport_socket?.typed_config, findings));
  const tls = sockets.find((socket) => socket !== undefined);
  const mode: PeerMode = tls === undefined ? "DISABLE" : sockets.includes(undefined) ? "PERMISSIVE" : "STRICT";
  const managers = chains.flatMap((chain) => managerOf(chain) ?? []) as readonly ServerManager[];
  const [manager] = managers;
  const asked = authorizerOf(manager, port, findings);
  const tcpChain = chains.find((chain) => managerOf(chain) === undefined);
  return {
    port,
    mode,
    authorizers: asked.authorizer === undefined ? [] : [asked.authorizer],
    http: manager && httpAccess(manager, asked, findings),
    tcp: tcpChain && tcpAccess(tcpChain, findings),
    jwt: (manager?.http_filters ?? []).flatMap(({ typed_config }) => {
      const filter = anyOf<JwtFilter>(typed_config, `${HTTP}.jwt_authn.v3.JwtAuthentication`);
      return filter === undefined ? [] : compileJwt(filter, findings);
    }),
    rateLimits: manager === undefined ? [] : rateLimits(manager, findings),
    ...pathsOf(manager),
    forwardedClientCert: forwardedClientCert(manager),
    ...tlsOf(tls),
  };
}

/** @returns undefined for plaintext */
function downstream(any: AnyMessage | undefined, findings: Findings): Downstream | undefined {
  if (any === undefined || anyType(any).endsWith(".RawBuffer")) return undefined;
  const socket = anyOf<Downstream>(any, DOWNSTREAM);
  if (socket === undefined) {
    findings.fault(`transport_socket ${anyType(any)} is not known`);
    return undefined;
  }
  const { common_tls_context: common, require_sni, ocsp_staple_policy = "LENIENT_STAPLING" } = socket;
  if (common === undefined) findings.fault("the transport socket has no common_tls_context");
  if (require_sni) findings.fault("require_sni is not supported");
  if (ocsp_staple_policy !== "LENIENT_STAPLING")
    findings.fault(`ocsp_staple_policy ${ocsp_staple_policy} is not supported`);
  checkCommon(common ?? {}, findings);
  if (socket.require_client_certificate !== true) {
    findings.notHonoured("a server certificate of the mesh without asking for the client's: one is asked for");
  }
  return socket;
}

function tlsOf(socket: Downstream | undefined): Pick<InboundPort, "minTlsVersion" | "trustDomains"> {
  const common = socket?.common_tls_context ?? {};
  const names = validationOf(common).match_subject_alt_names ?? [];
  return {
    minTlsVersion: common.tls_params?.tls_minimum_protocol_version === "TLSv1_3" ? "TLSv1.3" : "TLSv1.2",
    trustDomains: names.flatMap(({ prefix }) => /^spiffe:\/\/([^/]+)\/$/.exec(prefix ?? "")?.[1] ?? []),
  };
}

/** Filters in their order. One that guards and is not known refuses the listener; what only tells or shapes is passed over. */
function httpAccess(manager: HttpManager, asked: AskedAuthorizer, findings: Findings): ChainAccess {
  const rbac: RbacFilter[] = [];
  for (const { name = "", typed_config: any, is_optional, disabled } of manager.http_filters ?? []) {
    const type = anyType(any);
    const rules = anyOf<RbacFilter>(any, `${HTTP}.rbac.v3.RBAC`);
    if (disabled) continue;
    if (rules !== undefined) rbac.push(rules);
    else if (!HARMLESS.has(type) && !SILENT_FILTERS.has(name)) {
      if (is_optional || PASSED_OVER.has(type)) findings.notHonoured(`http_filters ${name} (${type || "no type"})`);
      else
        findings.fault(`the filter ${name} (${type || "no type"}) is not known, and may be there to keep requests out`);
    }
  }
  return compileChainAccess(rbac, asked, findings);
}

/** At most one is asked: several judge one after the other, which this version does not do. */
function authorizerOf(manager: HttpManager | undefined, port: number, findings: Findings): AskedAuthorizer {
  const found = (manager?.http_filters ?? []).flatMap(({ name = "", typed_config, disabled }) => {
    const spec = anyOf<ExtAuthz>(typed_config, EXT_AUTHZ);
    const where = port === 0 ? "all other ports" : `port ${port}`;
    return spec === undefined || disabled ? [] : askedAuthorizer(name, spec, where, findings);
  });
  const [first = NOBODY_ASKED] = found;
  if (found.length < 2) return first;
  return { ...first, refusal: "several external authorizers are asked", always: true, authorizer: undefined };
}

const HARMLESS: ReadonlySet<string> = new Set([
  ...[
    `${HTTP}.router.v3.Router`,
    `${HTTP}.jwt_authn.v3.JwtAuthentication`,
    `${HTTP}.local_ratelimit.v3.LocalRateLimit`,
    EXT_AUTHZ,
  ],
  ...[`${HTTP}.fault.v3.HTTPFault`, `${HTTP}.cors.v3.Cors`, `${HTTP}.grpc_stats.v3.FilterConfig`],
]);

/** These change requests or answers, and keep nobody out. */
const PASSED_OVER: ReadonlySet<string> = new Set([
  ...[`${HTTP}.lua.v3.Lua`, `${HTTP}.compressor.v3.Compressor`, `${HTTP}.grpc_web.v3.GrpcWeb`],
  ...[`${HTTP}.header_mutation.v3.HeaderMutation`, `${HTTP}.buffer.v3.Buffer`],
]);

function tcpAccess({ filters = [] }: FilterChain, findings: Findings): ChainAccess {
  const rbac = filters.flatMap(({ typed_config }) => anyOf<RbacFilter>(typed_config, `${NETWORK}.rbac.v3.RBAC`) ?? []);
  return compileChainAccess(
    rbac,
    { ...NOBODY_ASKED, refusal: "no external authorizer is asked about connections that are no HTTP" },
    findings,
  );
}

type LocalRateLimit = Fields<{
  stat_prefix: string;
  token_bucket: Fields<{ max_tokens: number; tokens_per_fill: number; fill_interval: string }>;
  filter_enabled: RuntimeFraction;
  filter_enforced: RuntimeFraction;
  descriptors: readonly object[];
  status: object;
}>;

/** Without words about who is meant: every request takes of one bucket. Differs: Envoy has one for each chain, here all ports share it. */
function rateLimits(manager: HttpManager, findings: Findings): readonly RateLimitPolicy[] {
  return (manager.http_filters ?? []).flatMap(({ name = "", typed_config }) => {
    const filter = anyOf<LocalRateLimit>(typed_config, `${HTTP}.local_ratelimit.v3.LocalRateLimit`);
    const bucket = filter?.token_bucket;
    if (filter === undefined || bucket === undefined) return [];
    if (filter.descriptors !== undefined) findings.notHonoured(`${name}.descriptors`);
    const share = Math.min(shareOf(filter.filter_enabled), shareOf(filter.filter_enforced));
    if (share < 1) {
      findings.notHonoured(`${name}.filter_enforced below 100 %`);
      return [];
    }
    const resource: RuleRef = {
      resource: { kind: "Listener", namespace: "", name: filter.stat_prefix ?? name },
      path: name,
    };
    return {
      name: filter.stat_prefix ?? name,
      matches: () => true,
      keys: [],
      requests: bucket.tokens_per_fill ?? 1,
      perMs: durationMs(bucket.fill_interval, 1_000),
      burst: bucket.max_tokens ?? 1,
      resource,
    };
  });
}

/** Envoy has both at 0 % where they are not written. */
function shareOf(share: RuntimeFraction | undefined): number {
  return share?.default_value === undefined ? 0 : fraction(share.default_value);
}

function pathsOf(manager: ServerManager | undefined): Pick<InboundPort, "paths" | "normalises"> {
  const { normalize_path = false, merge_slashes = false, path_with_escaped_slashes_action: escaped } = manager ?? {};
  const decodes = escaped === "UNESCAPE_AND_FORWARD" || escaped === "UNESCAPE_AND_REDIRECT";
  const paths = decodes
    ? "DECODE_AND_MERGE_SLASHES"
    : merge_slashes
      ? "MERGE_SLASHES"
      : normalize_path
        ? "BASE"
        : "NONE";
  return { paths, normalises: normalize_path };
}

const CLIENT_CERT: ReadonlySet<string> = new Set([
  "SANITIZE",
  "FORWARD_ONLY",
  "APPEND_FORWARD",
  "SANITIZE_SET",
  "ALWAYS_FORWARD_ONLY",
]);

function forwardedClientCert(manager: ServerManager | undefined): ForwardedClientCert {
  const said = String(manager?.forward_client_cert_details ?? "SANITIZE");
  return CLIENT_CERT.has(said) ? (said as ForwardedClientCert) : "SANITIZE";
}
