/** CircuitBreakers, Resiliences and RateLimits that hold for nobody, or of which only one can hold. docs/reference/resilience.md. */

import { isWildcard, qualifiedHost } from "../compile/host.js";
import { compareAge } from "../compile/order.js";
import type { CircuitBreakerSpec } from "../kind/circuit-breaker.js";
import type { RateLimitSpec } from "../kind/rate-limit.js";
import type { ResilienceSpec } from "../kind/resilience.js";
import type { Resource } from "../resource.js";
import { nearestName } from "../validate/nearest-name.js";
import { type Finding, placeOf, suggestion } from "./finding.js";
import type { AnalyzedSet } from "./views.js";

const UNKNOWN_HOST = "IM0311";
const SAME_HOST = "IM0312";
const FOREIGN_SERVER = "IM0313";

export interface HostPolicies {
  readonly breakers: readonly Resource<CircuitBreakerSpec>[];
  readonly resiliences: readonly Resource<ResilienceSpec>[];
  readonly rateLimits: readonly Resource<RateLimitSpec>[];
}

export function checkHostPolicies(
  { breakers, resiliences, rateLimits }: HostPolicies,
  set: AnalyzedSet,
  rootNamespace: string,
  report: Finding,
): void {
  for (const resource of [...breakers, ...resiliences, ...rateLimits]) checkHost(resource, set, report);
  for (const resource of rateLimits) checkLimitService(resource, set, report);
  checkTwins(breakers, ({ spec }) => spec.subset ?? "", report);
  checkTwins(resiliences, () => "", report);
  for (const resource of rateLimits) checkNamespace(resource, ["spec"], set, rootNamespace, report);
  for (const resource of resiliences) {
    if (resource.spec.server) checkNamespace(resource, ["spec", "server"], set, rootNamespace, report);
  }
}

type Named = Resource<{ readonly host?: string | undefined }>;

function checkHost(resource: Named, set: AnalyzedSet, report: Finding): void {
  const { spec, namespace } = resource;
  const host = qualifiedHost(spec.host ?? "", namespace);
  if (!set.live || isWildcard(host) || serviceOf(host, namespace, set) !== undefined) return;
  const { services } = set.viewOf(namespace);
  const near = nearestName(
    spec.host ?? "",
    [...services.byHost.values()].flatMap((service) => [service.name, service.host]),
  );
  const message = `"${spec.host}" (${host}) is no Service, no ServiceEntry and no running process. The document has no effect now.${suggestion(near)} Correct the host, or declare it.`;
  report(resource, ["spec", "host"], UNKNOWN_HOST, "warning", message);
}

/** Who counts for others has to be found by them. */
function checkLimitService(resource: Resource<RateLimitSpec>, set: AnalyzedSet, report: Finding): void {
  const { namespace, spec } = resource;
  const named = spec.service?.host;
  if (named === undefined || !set.live) return;
  const host = qualifiedHost(named, namespace);
  if (serviceOf(host, namespace, set) !== undefined) return;
  const meanwhile =
    spec.service?.failureModeDeny === true ? "all these requests are turned away" : "nothing is limited";
  const message = `the rate limit service "${named}" (${host}) is no Service, no ServiceEntry and no running process: ${meanwhile}. Correct the host, or declare it.`;
  report(resource, ["spec", "service", "host"], UNKNOWN_HOST, "warning", message);
}

/** @param part documents that differ in it do not meet */
function checkTwins<Spec extends { readonly host?: string | undefined }>(
  resources: readonly Resource<Spec>[],
  part: (resource: Resource<Spec>) => string,
  report: Finding,
): void {
  const groups = new Map<string, Resource<Spec>[]>();
  for (const resource of [...resources].sort(compareAge)) {
    const { namespace, spec } = resource;
    const key = JSON.stringify([namespace, qualifiedHost(spec.host ?? "", namespace), part(resource)]);
    groups.set(key, [...(groups.get(key) ?? []), resource]);
  }
  for (const group of groups.values()) {
    const [used] = group;
    if (used === undefined || group.length < 2) continue;
    for (const resource of group) {
      const others = group.filter((other) => other !== resource).map(placeOf);
      const message = `host "${resource.spec.host}" is also spoken for by ${others.join(" and ")}. Only ${used.key}, the older one, holds. Keep one of them.`;
      report(resource, ["spec", "host"], SAME_HOST, "error", message);
    }
  }
}

/** Servers take orders from their own namespace and from the root namespace only. */
function checkNamespace(
  resource: Named,
  path: readonly string[],
  set: AnalyzedSet,
  rootNamespace: string,
  report: Finding,
): void {
  const { spec, namespace } = resource;
  const host = qualifiedHost(spec.host ?? "", namespace);
  if (isWildcard(host) || namespace === rootNamespace) return;
  const home = serviceOf(host, namespace, set)?.namespace;
  if (home === undefined || home === namespace) return;
  const message = `the servers of ${host} are in namespace "${home}" and do not listen to documents of "${namespace}": this part has no effect. Write it there, or in the root namespace "${rootNamespace}".`;
  report(resource, path, FOREIGN_SERVER, "warning", message);
}

function serviceOf(host: string, namespace: string, set: AnalyzedSet) {
  const { services } = set.viewOf(namespace);
  return services.byHost.get(host) ?? services.covering(host);
}
