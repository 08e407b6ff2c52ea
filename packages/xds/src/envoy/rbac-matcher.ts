/** Permissions and principals of RBAC as one test each. Whatever is not known refuses its listener: a rule half understood is a hole. */

import { BlockList, isIP } from "node:net";
import type { AccessedHttp, AccessRequest, Claims, MatchRequest } from "@inmesh/model";
import type { Findings } from "./refusal.js";
import { type HeaderMatcher, headerCondition } from "./route-match.js";
import type { Fields } from "./schema.js";
import { compileStringMatcher, type StringMatcher } from "./string-matcher.js";

export type AccessTest = (request: AccessRequest) => boolean;

type Cidr = Fields<{ address_prefix: string; prefix_len: number }>;
type Path = Fields<{ path: StringMatcher }>;

export type ValueMatcher = Fields<{
  null_match: object;
  double_match: object;
  string_match: StringMatcher;
  bool_match: boolean;
  present_match: boolean;
  list_match: Fields<{ one_of: ValueMatcher }>;
  or_match: Fields<{ value_matchers: readonly ValueMatcher[] }>;
}>;

export type MetadataMatcher = Fields<{
  filter: string;
  path: readonly Fields<{ key: string }>[];
  value: ValueMatcher;
  invert: boolean;
}>;

export type Permission = Fields<{
  and_rules: Fields<{ rules: readonly Permission[] }>;
  or_rules: Fields<{ rules: readonly Permission[] }>;
  not_rule: Permission;
  any: boolean;
  header: HeaderMatcher;
  url_path: Path;
  destination_ip: Cidr;
  destination_port: number;
  destination_port_range: Fields<{ start: number; end: number }>;
  metadata: MetadataMatcher;
  requested_server_name: StringMatcher;
}>;

export type Principal = Fields<{
  and_ids: Fields<{ ids: readonly Principal[] }>;
  or_ids: Fields<{ ids: readonly Principal[] }>;
  not_id: Principal;
  any: boolean;
  authenticated: Fields<{ principal_name: StringMatcher }>;
  source_ip: Cidr;
  direct_remote_ip: Cidr;
  remote_ip: Cidr;
  header: HeaderMatcher;
  url_path: Path;
  metadata: MetadataMatcher;
}>;

export function permissionTest(spec: Permission, findings: Findings): AccessTest {
  const { and_rules, or_rules, not_rule, destination_port: port, destination_port_range: range } = spec;
  if (and_rules !== undefined) return every((and_rules.rules ?? []).map((rule) => permissionTest(rule, findings)));
  if (or_rules !== undefined) return some((or_rules.rules ?? []).map((rule) => permissionTest(rule, findings)));
  if (not_rule !== undefined) return not(permissionTest(not_rule, findings));
  if (port !== undefined) return (request) => request.port === port;
  if (range !== undefined) return (request) => request.port >= (range.start ?? 0) && request.port < (range.end ?? 0);
  if (spec.destination_ip !== undefined)
    return inRange(spec.destination_ip, ({ destinationIp }) => destinationIp, findings);
  if (spec.requested_server_name !== undefined) {
    const { test } = compileStringMatcher(spec.requested_server_name, findings, "requested_server_name");
    return ({ sni }) => test(sni);
  }
  return sharedTest(spec, findings) ?? unknown("permission", spec, findings);
}

export function principalTest(spec: Principal, findings: Findings): AccessTest {
  const { and_ids, or_ids, not_id, authenticated } = spec;
  if (and_ids !== undefined) return every((and_ids.ids ?? []).map((id) => principalTest(id, findings)));
  if (or_ids !== undefined) return some((or_ids.ids ?? []).map((id) => principalTest(id, findings)));
  if (not_id !== undefined) return not(principalTest(not_id, findings));
  if (authenticated !== undefined) {
    const name = authenticated.principal_name;
    if (name === undefined) return ({ peer }) => peer !== undefined;
    const { test } = compileStringMatcher(name, findings, "principal_name");
    return ({ peer }) => peer !== undefined && test(peer.id);
  }
  // Behind a proxy both are the one that connects; without one it is the caller.
  if (spec.direct_remote_ip !== undefined) return inRange(spec.direct_remote_ip, ({ sourceIp }) => sourceIp, findings);
  if (spec.source_ip !== undefined) return inRange(spec.source_ip, ({ sourceIp }) => sourceIp, findings);
  if (spec.remote_ip !== undefined) return inRange(spec.remote_ip, ({ remoteIp }) => remoteIp, findings);
  return sharedTest(spec, findings) ?? unknown("principal", spec, findings);
}

function sharedTest(
  spec: Pick<Permission, "any" | "header" | "url_path" | "metadata">,
  findings: Findings,
): AccessTest | undefined {
  const { any, header, url_path, metadata } = spec;
  if (any !== undefined) return () => any;
  if (url_path?.path !== undefined) {
    const { test } = compileStringMatcher(url_path.path, findings, "url_path");
    return ({ http }) => http !== undefined && test(http.path);
  }
  if (header !== undefined) {
    if (header.name === ":scheme") findings.fault("a rule asks for :scheme"); // gRFC A41
    const { holds } = headerCondition(header, findings, "header");
    return ({ http }) => http !== undefined && holds(asMatched(http));
  }
  return metadata === undefined ? undefined : metadataTest(metadata, findings);
}

/** Field by field: what a server's request reads when it is asked for does not come along with a spread. */
function asMatched(http: AccessedHttp): MatchRequest {
  const { method, target, authority } = http;
  return { method, path: target, authority, scheme: "http", header: (name) => http.header(name) };
}

/** Nobody may come in, or be kept out, by what nobody understands: the listener is refused. */
function unknown(what: string, spec: object, findings: Findings): AccessTest {
  findings.fault(`a ${what} is of a kind that is not known here: ${Object.keys(spec).join(", ") || "none"}`);
  return () => false;
}

const every =
  (tests: readonly AccessTest[]): AccessTest =>
  (request) =>
    tests.every((test) => test(request));
const some =
  (tests: readonly AccessTest[]): AccessTest =>
  (request) =>
    tests.some((test) => test(request));
const not =
  (test: AccessTest): AccessTest =>
  (request) =>
    !test(request);

function inRange(
  { address_prefix = "", prefix_len = 0 }: Cidr,
  read: (request: AccessRequest) => string,
  findings: Findings,
): AccessTest {
  const version = isIP(address_prefix);
  const list = new BlockList();
  if (version === 0 || prefix_len > (version === 4 ? 32 : 128))
    findings.fault(`${address_prefix}/${prefix_len} is no range of addresses`);
  else list.addSubnet(address_prefix, prefix_len, version === 4 ? "ipv4" : "ipv6");
  return (request) => {
    const address = read(request);
    const found = isIP(address);
    return found !== 0 && list.check(address, found === 4 ? "ipv4" : "ipv6");
  };
}

/** Of the filter for tokens: what a verified one says. Of any other nothing is known, and nothing matches (gRFC A41). */
const TOKENS = "envoy.filters.http.jwt_authn";

function metadataTest(
  { filter, path = [], value = {}, invert = false }: MetadataMatcher,
  findings: Findings,
): AccessTest {
  const keys = path.map(({ key = "" }) => key);
  const test = valueTest(value, findings);
  if (filter !== TOKENS) return () => invert;
  const [, ...claim] = keys; // the first is where istiod has the payload put
  return ({ claims }) => {
    const found = claims === undefined ? undefined : claimAt(claims, claim);
    return (found !== undefined && test(found)) !== invert;
  };
}

/** Lists written with spaces, which istiod has taken apart. */
const SPACED: ReadonlySet<string> = new Set(["scope", "permission"]);

function claimAt(claims: Claims, path: readonly string[]): unknown {
  let at: unknown = claims;
  for (const key of path) {
    if (typeof at !== "object" || at === null || Array.isArray(at) || !Object.hasOwn(at, key)) return undefined;
    at = (at as Claims)[key];
  }
  return typeof at === "string" && path.length === 1 && SPACED.has(path[0] ?? "") ? at.split(" ") : at;
}

function valueTest(spec: ValueMatcher, findings: Findings): (value: unknown) => boolean {
  const { string_match, bool_match, present_match, list_match, or_match } = spec;
  if (string_match !== undefined) {
    const { test } = compileStringMatcher(string_match, findings, "metadata");
    return (value) => typeof value === "string" && test(value);
  }
  if (bool_match !== undefined) return (value) => value === bool_match;
  if (present_match !== undefined) return () => present_match;
  if (list_match?.one_of !== undefined) {
    const test = valueTest(list_match.one_of, findings);
    return (value) => Array.isArray(value) && value.some(test);
  }
  if (or_match !== undefined) {
    const tests = (or_match.value_matchers ?? []).map((each) => valueTest(each, findings));
    return (value) => tests.some((test) => test(value));
  }
  findings.fault(
    `a metadata value is matched in a way that is not known here: ${Object.keys(spec).join(", ") || "none"}`,
  );
  return () => false;
}
