/** What compiled hosts and clusters ask of a view, and ask the next one again: see memo.ts for why these are no closures. */

import type { CircuitBreakerSpec } from "../kind/circuit-breaker.js";
import type { ResilienceSpec } from "../kind/resilience.js";
import type { VirtualServiceSpec } from "../kind/virtual-service.js";
import type { Resource } from "../resource.js";
import type { RuleRef } from "../snapshot/route.js";
import type { PeerMode } from "../snapshot/security.js";
import type { Service } from "../snapshot/workload.js";
import { portEntry } from "./cluster.js";
import type { DestinationPolicy } from "./destination-rule-index.js";
import type { GatewayRoute } from "./gateway-parent.js";
import type { ConsistentHashSpec } from "./load-balancer.js";
import { IMPLICIT_PORT } from "./services.js";
import type { ClientView } from "./view.js";

export function serviceOf(view: ClientView, host: string): Service | undefined {
  return view.service(host);
}

/**
 * Of a destination that names none: the only port there is, or the one the caller addressed. Other ports of an implicit
 * service come and go, so a rule that leads there from another host means port 80.
 * @param addressed host of the service that the caller addressed, at `port`; empty where there is none
 */
export function impliedPort(view: ClientView, host: string, addressed: string, port: number): number {
  const service = view.service(host);
  if (service?.implicit) return service.host === addressed ? port : IMPLICIT_PORT;
  const only = service?.ports.length === 1 ? service.ports[0] : undefined;
  return only?.number ?? port;
}

/** Of a host that is a service. */
export function hasPort(view: ClientView, host: string, port: number): boolean {
  const service = view.service(host);
  return service !== undefined && view.hasPort(service, port);
}

export function policyOf(view: ClientView, host: string): DestinationPolicy | undefined {
  return view.destinationPolicy(host, view.service(host));
}

/** Of the mesh and of a namespace, before any workload is looked at. */
export function peerModeOf(view: ClientView, namespace: string): PeerMode {
  return view.peerModes.of(namespace).mode;
}

/** What says so. */
export function peerSourceOf(view: ClientView, namespace: string): RuleRef | null {
  return view.peerModes.of(namespace).source;
}

/** What documents say of the accounts of whoever serves a host: `shop/cart shop/cart-canary`, as text so that it stays the same. */
export function accountsOf(view: ClientView, host: string): string {
  const service = view.service(host);
  return service === undefined ? "" : view.accounts(service).join(" ");
}

export function breakerOf(view: ClientView, host: string, subset: string): Resource<CircuitBreakerSpec> | undefined {
  return view.circuitBreaker(host, subset);
}

export function resilienceOf(view: ClientView, host: string): Resource<ResilienceSpec> | undefined {
  return view.resilience(host);
}

/**
 * What requests to a destination are hashed by. Not the cluster's block: whatever level has no consistentHash gives way to
 * the next (policy-semantics §2.2). A port's own counts only where the port is named.
 * @param port 0 where none is named
 */
export function hashOf(view: ClientView, host: string, subset: string, port: number): ConsistentHashSpec | undefined {
  const policy = policyOf(view, host);
  const ofSubset = subset === "" ? undefined : policy?.subsets.get(subset)?.trafficPolicy;
  const whole = policy?.trafficPolicy;
  const levels = [portEntry(ofSubset, port), ofSubset, portEntry(whole, port), whole];
  return levels.find((level) => level?.loadBalancer?.consistentHash)?.loadBalancer?.consistentHash;
}

/** @param turn 0 for the first that speaks about the host at this port, 1 for the next … */
export function rulesOf(
  view: ClientView,
  host: string,
  port: number,
  turn: number,
): Resource<VirtualServiceSpec> | undefined {
  return view.virtualService(host, port, turn);
}

/** Whether the rules are for this very host, not for a wildcard that covers it. */
export function hasOwnRules(view: ClientView, host: string): boolean {
  return view.virtualServices.hasExact(host);
}

/** @param parent host of a Service, or the key of a ServiceEntry */
export function gatewayRoutesOf(view: ClientView, parent: string): readonly GatewayRoute[] {
  return view.gatewayRoutes.of(parent);
}

/** @param rootNamespace of the VirtualService that delegates */
export function delegateOf(
  view: ClientView,
  namespace: string,
  name: string,
  rootNamespace: string,
): Resource<VirtualServiceSpec> | undefined {
  return view.virtualServices.delegate(namespace, name, rootNamespace);
}
