/** RouteConfiguration: which virtual host an authority means. Hosts stay bytes until they are asked for. */

import { getOrMake } from "@inmesh/model/internal";
import { firstText } from "../client/first-text.js";
import { NONE } from "../client/none.js";
import type { KnownOfResource, ResourceType, SentBytes } from "../client/watch.js";
import { LENGTH, WireReader } from "../proto/wire-reader.js";
import type { PerFilterConfig } from "./per-filter.js";
import { Findings, known } from "./refusal.js";
import type { RouteContext } from "./route.js";
import { type HeaderFields, headerOps } from "./route.js";
import { decodeEnvoy, type Fields } from "./schema.js";
import { ROUTE_CONFIGURATION } from "./urls.js";
import { HostBytes, type TableContext } from "./virtual-host.js";

type TableSpec = HeaderFields &
  Fields<{
    name: string;
    ignore_port_in_host_matching: boolean;
    typed_per_filter_config: PerFilterConfig;
  }>;

const READ = known(
  ...["name", "virtual_hosts", "ignore_port_in_host_matching", "typed_per_filter_config", "request_headers_to_add"],
  ...["request_headers_to_remove", "response_headers_to_add", "response_headers_to_remove"],
  // A cluster that is not there is found out per request; the size is of a body that is in memory here anyhow.
  ...["validate_clusters", "max_direct_response_body_size_bytes"],
);

/** New hosts of one answer that are looked at before it is taken; the others are when they are asked for, or the process would stand still. */
const MOST_CHECKED = 32;

/** Field number. */
const VIRTUAL_HOSTS = 2;

export class RouteConfiguration {
  readonly name: string;
  readonly hosts: readonly HostBytes[];
  readonly table: TableContext;
  /** What of it is not honoured, by name. */
  readonly notices: readonly string[];
  /** Of a table that has none, as many of a thousand do, the one of all such tables. */
  readonly #exact: ReadonlyMap<string, HostBytes>;
  /** `*.example`, by what follows the star, the longest first. */
  readonly #suffixes: readonly Pattern[];
  readonly #prefixes: readonly Pattern[];
  readonly #any: HostBytes | undefined;

  constructor(name: string, hosts: readonly HostBytes[], table: TableContext, findings: Findings) {
    this.name = name;
    this.hosts = hosts;
    this.table = table;
    let any: HostBytes | undefined;
    const exact = new Map<string, HostBytes>();
    const suffixes: Pattern[] = [];
    const prefixes: Pattern[] = [];
    for (const host of hosts) {
      for (const domain of host.domains) {
        if (domain === "*") {
          if (any !== undefined) findings.fault(`the domain * stands in ${any.name} and in ${host.name}`);
          any ??= host;
        } else if (!domain.includes("*")) {
          const before = exact.get(domain);
          if (before !== undefined) findings.fault(`the domain ${domain} stands in ${before.name} and in ${host.name}`);
          else exact.set(domain, host);
        } else if (domain.lastIndexOf("*") === 0) suffixes.push([domain.slice(1), host]);
        else if (domain.indexOf("*") === domain.length - 1) prefixes.push([domain.slice(0, -1), host]);
        else findings.fault(`the domain ${domain} of ${host.name} has a star in the middle`);
      }
      if (host.domains.length === 0) findings.fault(`the virtual host ${host.name} has no domain`);
    }
    this.#any = any;
    this.#exact = exact.size === 0 ? NO_HOSTS : exact;
    this.#suffixes = longestFirst(suffixes);
    this.#prefixes = longestFirst(prefixes);
    this.notices = findings.notices;
  }

  /** Exact, then `*.x`, then `x.*`, then `*`; of several the longest. @param authority lower-case */
  find(authority: string): { readonly host: HostBytes; readonly catchAll: boolean } | undefined {
    const exact = this.#exact.get(authority);
    if (exact !== undefined) return { host: exact, catchAll: false };
    for (const [text, host] of this.#suffixes) {
      if (authority.length > text.length && authority.endsWith(text)) return { host, catchAll: false };
    }
    for (const [text, host] of this.#prefixes) {
      if (authority.length > text.length && authority.startsWith(text)) return { host, catchAll: false };
    }
    return this.#any && { host: this.#any, catchAll: true };
  }
}

type Pattern = readonly [text: string, host: HostBytes];

const NO_HOSTS: ReadonlyMap<string, HostBytes> = new Map();

function longestFirst(patterns: Pattern[]): readonly Pattern[] {
  return patterns.length === 0 ? NONE : patterns.sort((a, b) => b[0].length - a[0].length);
}

/** Hosts of the table before whose bytes are the same are taken over. */
export function routeConfigurationType(timeouts: RouteContext["timeouts"]): ResourceType<RouteConfiguration> {
  return {
    url: ROUTE_CONFIGURATION,
    wholeState: false,
    nameOf: firstText,
    decode: (bytes, name, known) => readRouteConfiguration(bytes, name, timeouts, known),
    same: (a, b) => a.table === b.table && a.hosts.length === b.hosts.length && sameHosts(a, b),
  };
}

/** The order of hosts says nothing: istiod's is by chance for gRPC's nodes. */
function sameHosts(a: RouteConfiguration, b: RouteConfiguration): boolean {
  const known = new Set(a.hosts);
  return b.hosts.every((host) => known.has(host));
}

/** @throws {Refused} {WireError} */
export function readRouteConfiguration(
  bytes: Uint8Array,
  name: string,
  timeouts: RouteContext["timeouts"],
  { sent, before: previous }: KnownOfResource<RouteConfiguration> = { sent: { read: () => bytes }, before: undefined },
): RouteConfiguration {
  const { hosts: parts, rest } = splitHosts(bytes);
  const findings = new Findings();
  const spec = decodeEnvoy<TableSpec>(ROUTE_CONFIGURATION, rest);
  findings.unread(spec, READ, "route_config");
  const table = tableContext(spec, timeouts, findings, previous);
  const before = new Map(previous?.hosts.map((host) => [host.name, host]));
  // Of hosts that did not change the table may be an older one.
  const opened = new Map<SentBytes, Uint8Array>();
  const open = (each: SentBytes) => getOrMake(opened, each, () => each.read());
  let looks = MOST_CHECKED;
  const hosts = parts.map(({ at, bytes: part }) => {
    const old = before.get(firstText(part)); // a virtual host has its name in the same field
    if (old?.isSame(part, table, open)) return old;
    return new HostBytes(part, { sent, at, name }, table, looks-- > 0 ? findings : undefined);
  });
  const made = new RouteConfiguration(name, hosts, table, findings);
  findings.end();
  return made;
}

/** The same object as before while nothing is said there, which is the rule. */
function tableContext(
  spec: TableSpec,
  timeouts: RouteContext["timeouts"],
  findings: Findings,
  previous: RouteConfiguration | undefined,
): TableContext {
  const headers = headerOps(spec, findings, "route_config");
  const filters = spec.typed_per_filter_config;
  const before = previous?.table;
  const plain = headers.request === undefined && headers.response === undefined && filters === undefined;
  const plainBefore = before?.headers.request === undefined && before?.headers.response === undefined;
  if (before !== undefined && plain && plainBefore && before.filters === undefined) return before;
  return plain ? PLAIN[timeouts] : { headers, filters, timeouts };
}

const NO_HEADERS = { request: undefined, response: undefined };
/** Of tables that say nothing: one for all of a thousand. */
const PLAIN: Readonly<Record<RouteContext["timeouts"], TableContext>> = {
  envoy: { headers: NO_HEADERS, filters: undefined, timeouts: "envoy" },
  grpc: { headers: NO_HEADERS, filters: undefined, timeouts: "grpc" },
};

interface HostPart {
  /** Where its length stands in the table. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** Virtual hosts as they came, and all the rest of the message. */
function splitHosts(bytes: Uint8Array): { readonly hosts: readonly HostPart[]; readonly rest: Uint8Array } {
  const reader = new WireReader(bytes);
  const hosts: HostPart[] = [];
  const rest: Uint8Array[] = [];
  while (!reader.done) {
    const from = reader.position;
    const tag = reader.tag();
    if (tag >>> 3 === VIRTUAL_HOSTS && (tag & 7) === LENGTH) {
      hosts.push({ at: reader.position, bytes: reader.part() });
      continue;
    }
    reader.skip(tag & 7);
    rest.push(bytes.subarray(from, reader.position));
  }
  return { hosts, rest: Buffer.concat(rest) };
}
