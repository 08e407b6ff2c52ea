/**
 * What Consul makes of the entries of one service: its discovery chain. A router of that service only; splitters and
 * resolvers of whatever it leads to; redirects are followed, and a subset is chosen where one is the default. The rules are
 * Consul's own, seen in /v1/discovery-chain and compared with it by test/consul.
 */

import type {
  ConfigEntries,
  HeaderChange,
  ResolverRedirect,
  RouteDestination,
  RouteMatch,
  ServiceResolver,
} from "./config-entry.js";
import { FieldFault } from "./field.js";
import { overridden } from "./header-change.js";

export interface Chain {
  readonly service: string;
  readonly protocol: string;
  /** In order; the last one takes every request. */
  readonly routes: readonly ChainRoute[];
  /** The entry that decides most: `service-router/web`. */
  readonly origin: string;
}

export interface ChainRoute {
  /** Absent: every request. */
  readonly match: RouteMatch | undefined;
  readonly destination: RouteDestination | undefined;
  /** Of the resolver, which gives it only where neither router nor splitter stands before it. */
  readonly timeoutMs: number | undefined;
  readonly legs: readonly Leg[];
}

export interface Leg {
  /** In hundredths of a percent. */
  readonly weight: number;
  readonly target: Target;
  readonly requestHeaders: HeaderChange | undefined;
  readonly responseHeaders: HeaderChange | undefined;
}

/** Instances of a service in a datacenter; subset empty: all of them. */
export interface Place {
  readonly service: string;
  readonly subset: string;
  readonly datacenter: string;
}

export interface Target extends Place {
  /** Who stands in, the first first. */
  readonly failover: readonly Place[];
}

const WHOLE = 10_000;
/** Of splitters within splitters. */
const MAX_DEPTH = 20;
const MAX_LEGS = 1_000;

const HTTP_LIKE: ReadonlySet<string> = new Set(["http", "http2", "grpc"]);

export function isHttpLike(protocol: string): boolean {
  return HTTP_LIKE.has(protocol);
}

/** Empty where nothing says it: to Consul that is tcp, which can have neither router nor splitter; where one is, it is http. */
export function protocolOf({ defaults, proxy }: ConfigEntries, service: string): string {
  return defaults.get(service)?.protocol || proxy?.protocol || "";
}

/** @throws {FieldFault} where Consul would refuse the entries: circles, subsets that are not there */
export function compileChain(entries: ConfigEntries, service: string, datacenter: string): Chain {
  const compiler = new ChainCompiler(entries, datacenter);
  const protocol = protocolOf(entries, service);
  const http = protocol === "" || isHttpLike(protocol);
  const router = http ? entries.routers.get(service) : undefined;
  const splitter = http ? entries.splitters.get(service) : undefined;
  const ofRouter = (router?.routes ?? []).map(({ match, destination }): ChainRoute => {
    const to = destination.service || service;
    const { subset } = destination;
    const legs = subset === "" ? compiler.split(to) : [whole(compiler.resolve({ service: to, subset, datacenter }))];
    return { match, destination, timeoutMs: undefined, legs };
  });
  const direct = router === undefined && splitter === undefined;
  const rest: ChainRoute = {
    ...{ match: undefined, destination: undefined },
    timeoutMs: direct ? compiler.resolverOf(service)?.requestTimeoutMs : undefined,
    legs: http ? compiler.split(service) : [whole(compiler.resolve({ service, subset: "", datacenter }))],
  };
  const kind = router ? "service-router" : splitter ? "service-splitter" : "service-resolver";
  return { service, protocol, routes: [...ofRouter, rest], origin: `${kind}/${service}` };
}

/** Where a place that somebody names leads to. @throws {FieldFault} as above */
export function resolvePlace(entries: ConfigEntries, place: Place): Target {
  return new ChainCompiler(entries, place.datacenter).resolve(place);
}

class ChainCompiler {
  readonly #entries: ConfigEntries;
  readonly #datacenter: string;

  constructor(entries: ConfigEntries, datacenter: string) {
    this.#entries = entries;
    this.#datacenter = datacenter;
  }

  /** The resolver that a service's requests end at, redirects followed. */
  resolverOf(service: string): ServiceResolver | undefined {
    const { service: end } = this.#follow({ service, subset: "", datacenter: this.#datacenter });
    return this.#entries.resolvers.get(end);
  }

  /** Splitters within splitters as one: shares multiply, the inner one's headers win. */
  split(service: string, above: readonly string[] = []): readonly Leg[] {
    const splitter = this.#entries.splitters.get(service);
    const local = this.#datacenter;
    if (splitter === undefined) return [whole(this.resolve({ service, subset: "", datacenter: local }))];
    if (above.includes(service) || above.length >= MAX_DEPTH) {
      throw new FieldFault(`splitters lead to each other in a circle: ${[...above, service].join(" → ")}`);
    }
    const legs = splitter.splits.flatMap(({ weight, service: to, subset, requestHeaders, responseHeaders }) => {
      const next = to || service;
      const nested = next !== service && subset === "" && this.#entries.splitters.has(next);
      const inner = nested
        ? this.split(next, [...above, service])
        : [whole(this.resolve({ service: next, subset, datacenter: local }))];
      return inner.map((leg): Leg => {
        const share = nested ? product(weight, leg.weight / 100) : Math.round(weight * 100);
        return {
          weight: share,
          target: leg.target,
          requestHeaders: overridden(requestHeaders, leg.requestHeaders),
          responseHeaders: overridden(responseHeaders, leg.responseHeaders),
        };
      });
    });
    if (legs.length > MAX_LEGS)
      throw new FieldFault(`it splits into ${legs.length} parts, at most ${MAX_LEGS} are taken`);
    return legs;
  }

  resolve(asked: Place): Target {
    const place = this.#follow(asked);
    const rule = this.#entries.resolvers.get(place.service)?.failover;
    const failover = rule?.get(place.subset) ?? rule?.get("*");
    if (failover === undefined) return { ...place, failover: [] };
    const { datacenters, targets, service, subset } = failover;
    const wanted: readonly ResolverRedirect[] =
      datacenters.length > 0
        ? datacenters.map((datacenter) => ({ service, subset, datacenter }))
        : targets.length > 0
          ? targets
          : [{ service, subset, datacenter: "" }];
    const places = wanted.map((each) => rewritten(place, each)).filter((each) => !isSame(each, place));
    return { ...place, failover: places.map((each) => this.#follow(each)) };
  }

  #follow(asked: Place): Place {
    const seen: Place[] = [];
    for (let place = asked; ; ) {
      if (seen.some((each) => isSame(each, place))) {
        throw new FieldFault(`redirects go in a circle: ${[...seen, place].map(shownPlace).join(" → ")}`);
      }
      seen.push(place);
      const resolver = this.#entries.resolvers.get(place.service);
      const next = resolver?.redirect && rewritten(place, resolver.redirect);
      if (next !== undefined && !isSame(next, place)) {
        place = next;
        continue;
      }
      if (place.subset === "" && resolver !== undefined && resolver.defaultSubset !== "") {
        place = { ...place, subset: resolver.defaultSubset };
        continue;
      }
      if (place.subset !== "" && !resolver?.subsets.has(place.subset)) {
        throw new FieldFault(`service "${place.service}" has no subset "${place.subset}"`);
      }
      return place;
    }
  }
}

/** Of two percentages, in hundredths: by Go's 32 bits, so that halves are rounded to the side that Consul takes. */
function product(outer: number, inner: number): number {
  const both = Math.fround(Math.fround(Math.fround(outer) * Math.fround(inner)) / 100);
  return Math.round(Math.fround(both * 100));
}

function whole(target: Target): Leg {
  return { weight: WHOLE, target, requestHeaders: undefined, responseHeaders: undefined };
}

/** Another service forgets the subset. */
function rewritten(place: Place, { service, subset, datacenter }: ResolverRedirect): Place {
  const other = service !== "" && service !== place.service;
  return {
    service: other ? service : place.service,
    subset: subset || (other ? "" : place.subset),
    datacenter: datacenter || place.datacenter,
  };
}

function isSame(a: Place, b: Place): boolean {
  return a.service === b.service && a.subset === b.subset && a.datacenter === b.datacenter;
}

export function shownPlace({ service, subset, datacenter }: Place): string {
  return `${subset && `${subset}.`}${service}${datacenter && `@${datacenter}`}`;
}
