/** Rules of one host and port, compiled. */

import type { DestinationSpec } from "../kind/field.js";
import type { VirtualServiceSpec } from "../kind/virtual-service.js";
import type { Resource } from "../resource.js";
import { clusterName } from "../snapshot/cluster.js";
import type { Destination, RuleForOthers, VirtualHost } from "../snapshot/route.js";
import type { Service, ServiceRef } from "../snapshot/workload.js";
import { expandRules } from "./delegate.js";
import { gatewayComesFirst, gatewayRoutesFor } from "./gateway-precedence.js";
import { compileGatewayRoutes } from "./gateway-route.js";
import { rulesForOthers } from "./meant-for.js";
import type { Ask } from "./memo.js";
import { delegateOf, hashOf, hasOwnRules, impliedPort, rulesOf } from "./questions.js";
import { SAFE_RETRY } from "./retry.js";
import { compileRule, defaultRoute, type RouteContext } from "./route.js";
import { createRouteFinder, type IndexedRoute } from "./route-index.js";
import type { ClientView } from "./view.js";

export interface HostTarget {
  /** Qualified; for a wildcard service the host that was meant. */
  readonly host: string;
  readonly port: number;
  /** Undefined when only a VirtualService knows the host. */
  readonly service: Service | undefined;
}

/** @returns undefined when neither a service nor a rule for this client is there */
export function compileVirtualHost(target: HostTarget, view: ClientView, ask: Ask): VirtualHost | undefined {
  const { host, port, service } = target;
  const { mode } = view.mode;
  const off = mode !== "on";
  if (!off && service?.rulesPending) return pendingHost(target, service.rulesOnUse);
  const policy = off && service !== undefined ? undefined : compilePolicy(target, view, ask);
  const rules = policy?.rules ?? [];
  const routes = off
    ? withoutPolicy(rules, target, mode === "observe")
    : rules.length > 0
      ? rules
      : ownRoute(target, view, ask);
  if (routes.length === 0) return undefined;
  const inCharge = routes.some(({ route }) => route.resource !== null) ? policy?.resource : undefined;
  const forOthers = off ? [] : (policy?.forOthers ?? []);
  return {
    name: `${host}:${port}`,
    service,
    port,
    resource: inCharge ? { kind: inCharge.kind, namespace: inCharge.namespace, name: inCharge.name } : null,
    routes: routes.map(({ route }) => route),
    ...(forOthers.length > 0 && { forOthers }),
    find: createRouteFinder(routes),
  };
}

/** Neither its own rules nor its default route: those are for whoever knows that there are no rules. */
function pendingHost({ host, port, service }: HostTarget, wanted: ServiceRef | undefined): VirtualHost {
  const pending = wanted && { pending: wanted };
  return { name: `${host}:${port}`, service, port, resource: null, routes: [], ...pending, find: () => undefined };
}

interface Policy {
  readonly resource: Resource;
  /** Empty when every rule is meant for others: the service then has its default route, not a 404. */
  readonly rules: readonly IndexedRoute[];
  readonly forOthers: readonly RuleForOthers[];
}

/**
 * Of the VirtualServices and the routes of Gateway API for a host one speaks: the first of them that has a rule for this
 * caller and port. Undefined when there is none of either.
 */
function compilePolicy(target: HostTarget, view: ClientView, ask: Ask): Policy | undefined {
  const { host, port, service } = target;
  const off = view.mode.mode !== "on";
  const gateway = off || service === undefined ? [] : gatewayRoutesFor(host, port, service, ask);
  const [oldest] = gateway;
  const { client, settings } = view;
  const others: RuleForOthers[] = [];
  let first: Policy | undefined;
  for (let turn = 0; ; turn++) {
    const resource = ask(rulesOf, host, port, turn);
    if (resource === undefined) break;
    const namesHost = ask(hasOwnRules, host);
    const exportTo = settings.exportTo.virtualService;
    if (oldest !== undefined && gatewayComesFirst(oldest, resource, namesHost, client, exportTo)) break;
    const own = compileRules(resource, target, view, ask);
    others.push(...own.forOthers);
    const policy = { ...own, forOthers: others };
    if (own.rules.length > 0) return policy;
    first ??= policy;
  }
  if (oldest === undefined) return first;
  return { resource: oldest, rules: compileGatewayRoutes(gateway, routeContext(target, view, ask)), forOthers: others };
}

function compileRules(resource: Resource<VirtualServiceSpec>, target: HostTarget, view: ClientView, ask: Ask): Policy {
  const rules = expandRules(resource, (namespace, name) => ask(delegateOf, namespace, name, resource.namespace));
  const context = routeContext(target, view, ask);
  return {
    resource,
    rules: rules.flatMap((rule) => compileRule(rule, context)),
    forOthers: rulesForOthers(rules, context),
  };
}

function ownRoute({ host, port, service }: HostTarget, view: ClientView, ask: Ask): readonly IndexedRoute[] {
  if (service === undefined) return [];
  return [defaultRoute(located(service.host, port, ""), view.settings.defaultRetry, ask(hashOf, host, "", port))];
}

/**
 * MeshMode off or observe. A host that only a VirtualService knows keeps a way to go, or switching off would break its callers: the
 * first destination of its last rule, which is usually the one for everybody.
 */
function withoutPolicy(
  rules: readonly IndexedRoute[],
  { port, service }: HostTarget,
  observed: boolean,
): readonly IndexedRoute[] {
  const plain = (host: string, to: number): readonly IndexedRoute[] => {
    const { match, route } = defaultRoute(located(host, to, ""), SAFE_RETRY);
    return [{ match, route: observed ? { ...route, observed } : route }];
  };
  if (service !== undefined) return plain(service.host, port);
  for (const { route } of [...rules].reverse()) {
    const first = route.action.kind === "forward" ? route.action.destinations[0] : undefined;
    if (first !== undefined) return plain(first.host, first.port);
  }
  return [];
}

function routeContext(target: HostTarget, { client, settings }: ClientView, ask: Ask): RouteContext {
  return {
    client,
    port: target.port,
    defaultRetry: settings.defaultRetry,
    locate(destination) {
      const { host = "", subset = "" } = destination;
      return located(host, destinationPort(destination, target, ask), subset);
    },
    hashOf({ host = "", subset = "", port }) {
      return ask(hashOf, host, subset, port?.number ?? 0);
    },
  };
}

/** Not by the service itself, which is another object as soon as its instances are told. */
function destinationPort({ host = "", port }: DestinationSpec, target: HostTarget, ask: Ask): number {
  return port?.number || ask(impliedPort, host, target.service?.host ?? "", target.port);
}

function located(host: string, port: number, subset: string): Omit<Destination, "weight"> {
  return { cluster: clusterName(port, subset, host), host, port, subset };
}
