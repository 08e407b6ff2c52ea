/** One virtual host of a route table: kept as bytes, and compiled when a request first asks for it. */

import { messageOf } from "@inmesh/core";
import type { Service, VirtualHost } from "@inmesh/model";
import { createRouteFinder, type IndexedRoute } from "@inmesh/model/internal";
import { knownText } from "../client/known-text.js";
import type { SentBytes } from "../client/watch.js";
import { LENGTH, WireReader } from "../proto/wire-reader.js";
import { mergeHeaderOps } from "./header-ops.js";
import type { PerFilterConfig } from "./per-filter.js";
import { Findings, known } from "./refusal.js";
import type { RetrySpec } from "./retry.js";
import {
  compileRoute,
  failingRoute,
  type HeaderFields,
  headerOps,
  type RouteContext,
  type RouteSpec,
} from "./route.js";
import { decodeEnvoy, type Fields } from "./schema.js";

export type VirtualHostSpec = HeaderFields &
  Fields<{
    name: string;
    domains: readonly string[];
    routes: readonly RouteSpec[];
    retry_policy: RetrySpec;
    typed_per_filter_config: PerFilterConfig;
    matcher: object;
  }>;

const READ = known(
  ...["name", "domains", "routes", "retry_policy", "typed_per_filter_config", "request_headers_to_add", "metadata"],
  ...["request_headers_to_remove", "response_headers_to_add", "response_headers_to_remove"],
  // x-envoy-attempt-count, which the mesh has under a name of its own.
  ...["include_request_attempt_count", "include_attempt_count_in_response", "require_tls"],
);

const MESSAGE = "envoy.config.route.v3.VirtualHost";

/** Where a virtual host is. */
export interface HostPlace {
  /** Of its route table. */
  readonly sent: SentBytes;
  /** Where its length stands in that. */
  readonly at: number;
  /** Of its route table: a table of one host often has that host's. */
  readonly name: string;
}

/** Levels above a virtual host. */
export interface TableContext {
  readonly headers: RouteContext["headers"];
  readonly filters: PerFilterConfig | undefined;
  readonly timeouts: RouteContext["timeouts"];
}

export class HostBytes {
  readonly name: string;
  readonly domains: readonly string[];
  /** What of it is not honoured, by name, as far as it was looked at. */
  readonly notices: readonly string[];
  readonly #sent: SentBytes;
  readonly #at: number;
  readonly #table: TableContext;
  readonly #isChecked: boolean;
  /** By port and length of streams; none before the first request. */
  #routes: Map<string, readonly IndexedRoute[]> | undefined;

  /** @param findings absent: it is looked at when the first request asks for it */
  constructor(bytes: Uint8Array, place: HostPlace, table: TableContext, findings: Findings | undefined) {
    this.#sent = place.sent;
    this.#at = place.at;
    const { name, domains } = readNames(bytes);
    this.name = knownText(name, place.name);
    this.domains = domains;
    this.#table = table;
    this.#isChecked = findings !== undefined;
    const own = new Findings();
    if (findings !== undefined) {
      compileRoutes(decodeEnvoy<VirtualHostSpec>(MESSAGE, bytes), { table, port: 0, maxStreamMs: 0 }, own);
      findings.adopt(own);
    }
    this.notices = own.notices;
  }

  /**
   * The same bytes under the same levels above.
   * @param open reads tables, each of them once for all its hosts
   */
  isSame(bytes: Uint8Array, table: TableContext, open: (sent: SentBytes) => Uint8Array): boolean {
    return this.#table === table && Buffer.compare(this.#bytes(open(this.#sent)), bytes) === 0;
  }

  /** @param maxStreamMs of the listener's connection manager; 0: none */
  compile(port: number, service: Service | undefined, maxStreamMs: number): VirtualHost {
    const key = `${port} ${maxStreamMs}`;
    this.#routes ??= new Map();
    let routes = this.#routes.get(key);
    if (routes === undefined) {
      routes = this.#compileRoutes({ table: this.#table, port, maxStreamMs });
      this.#routes.set(key, routes);
    }
    const resource = routes.find(({ route }) => route.resource !== null)?.route.resource ?? null;
    return {
      name: this.name,
      service,
      port,
      resource,
      routes: routes.map(({ route }) => route),
      find: createRouteFinder(routes),
    };
  }

  #bytes(table: Uint8Array): Uint8Array {
    return new WireReader(table, this.#at).part();
  }

  /** What nobody has looked at may be wrong: then its requests fail, and nobody else's. */
  #compileRoutes(place: Place): readonly IndexedRoute[] {
    const findings = new Findings();
    try {
      const routes = compileRoutes(
        decodeEnvoy<VirtualHostSpec>(MESSAGE, this.#bytes(this.#sent.read())),
        place,
        findings,
      );
      if (!this.#isChecked) findings.end();
      return routes;
    } catch (error) {
      if (this.#isChecked) throw error;
      return [{ match: undefined, route: failingRoute(messageOf(error)) }];
    }
  }
}

/** Field numbers of a virtual host. */
const NAME = (1 << 3) | LENGTH;
const DOMAINS = (2 << 3) | LENGTH;

/** @throws {WireError} */
function readNames(bytes: Uint8Array): { readonly name: string; readonly domains: readonly string[] } {
  const reader = new WireReader(bytes);
  const domains: string[] = [];
  let name = "";
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === NAME) name = reader.string();
    else if (tag === DOMAINS) domains.push(reader.string().toLowerCase());
    else reader.skip(tag & 7);
  }
  if (domains.length === 1 && domains[0] === "*") return { name, domains: ANYBODY };
  return { name, domains: domains.slice() }; // a list that grew has room for sixteen more
}

const ANYBODY: readonly string[] = Object.freeze(["*"]);

interface Place {
  readonly table: TableContext;
  readonly port: number;
  readonly maxStreamMs: number;
}

function compileRoutes(
  spec: VirtualHostSpec,
  { table, port, maxStreamMs }: Place,
  findings: Findings,
): readonly IndexedRoute[] {
  findings.unread(spec, READ, "virtual_hosts");
  const own = headerOps(spec, findings, "virtual_hosts");
  const context: RouteContext = {
    port,
    maxStreamMs,
    headers: {
      request: mergeHeaderOps(own.request, table.headers.request),
      response: mergeHeaderOps(own.response, table.headers.response),
    },
    filters: [table.filters, spec.typed_per_filter_config],
    retry: spec.retry_policy,
    timeouts: table.timeouts,
  };
  return (spec.routes ?? []).flatMap((route, index) => {
    const where = `virtual_hosts ${spec.name ?? ""}.routes[${index}]`;
    return compileRoute(route, context, findings, where) ?? [];
  });
}
