/** What RateLimits and the Resilience of a host ask of its own processes. */

import { parseRateLimitKey, type RateLimitRuleSpec, type RateLimitSpec } from "../kind/rate-limit.js";
import type { RequestMatchSpec } from "../kind/request-match.js";
import type { ResilienceSpec } from "../kind/resilience.js";
import type { Resource } from "../resource.js";
import {
  type AdmissionPolicy,
  NO_SERVER_POLICY,
  type Priority,
  type RateLimitPolicy,
  type ServerPolicy,
  type SharedLimitPolicy,
} from "../snapshot/resilience.js";
import type { MatchRequest, RuleRef } from "../snapshot/route.js";
import { durationMs } from "./duration-ms.js";
import { qualifiedHost } from "./host.js";
import { RequestMatch } from "./request-match.js";

/** Envoy's. */
const LIMIT_SERVICE_TIMEOUT_MS = 20;
const ADAPTIVE = { min: 5, max: 1_000 };

/** @param limits of the host, of whatever namespaces may speak for it */
export function compileServerPolicy(
  limits: readonly Resource<RateLimitSpec>[],
  resilience: Resource<ResilienceSpec> | undefined,
): ServerPolicy {
  const rateLimits = limits
    .filter(({ spec }) => spec.service === undefined)
    .flatMap((resource) =>
      (resource.spec.rules ?? []).map((rule, index) => compileRule(rule, refOf(resource, `spec.rules[${index}]`))),
    )
    .sort(byName);
  const sharedLimits = limits.flatMap(compileShared).sort(byName);
  const admission = resilience && compileAdmission(resilience);
  if (rateLimits.length === 0 && sharedLimits.length === 0 && admission === undefined) return NO_SERVER_POLICY;
  return { rateLimits, ...(sharedLimits.length > 0 && { sharedLimits }), ...(admission && { admission }) };
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1;
}

function compileShared(resource: Resource<RateLimitSpec>): readonly SharedLimitPolicy[] {
  const { namespace, name: document, spec } = resource;
  if (spec.service === undefined) return [];
  const { host = "", port = 0, domain = "", timeout, failureModeDeny = false } = spec.service;
  const service = {
    ...{ host: qualifiedHost(host, namespace), port, domain, failureModeDeny },
    timeoutMs: durationMs(timeout, LIMIT_SERVICE_TIMEOUT_MS),
  };
  return (spec.rules ?? []).map(({ name = "", match, by = [], hitsAddend: hits = 1 }, index) => ({
    ...{ name: `${namespace}/${document}/${name}`, rule: name, service, hits },
    matches: anyOf(match),
    keys: by.flatMap((key) => parseRateLimitKey(key) ?? []), // validation has refused what is none
    resource: refOf(resource, `spec.rules[${index}]`),
  }));
}

function compileRule({ name = "", match, by = [], requests = 0, per, burst }: RateLimitRuleSpec, resource: RuleRef) {
  const { namespace, name: document } = resource.resource;
  const policy: RateLimitPolicy = {
    name: `${namespace}/${document}/${name}`,
    matches: anyOf(match),
    keys: by.flatMap((key) => parseRateLimitKey(key) ?? []), // validation has refused what is none
    requests,
    perMs: durationMs(per, 1_000),
    burst: burst || requests,
    resource,
  };
  return policy;
}

function compileAdmission(resource: Resource<ResilienceSpec>): AdmissionPolicy | undefined {
  const { server } = resource.spec;
  if (server === undefined) return undefined;
  const { maxConcurrency = 0, adaptiveConcurrency, maxEventLoopDelay, priorities = [], priorityHeader = "" } = server;
  const adapts = adaptiveConcurrency !== undefined && adaptiveConcurrency.enabled !== false;
  return {
    maxConcurrency,
    ...(adapts && {
      adaptive: {
        // The default of the one that is not written makes room for the other.
        minConcurrency: adaptiveConcurrency.min || Math.min(ADAPTIVE.min, adaptiveConcurrency.max || ADAPTIVE.max),
        maxConcurrency: adaptiveConcurrency.max || Math.max(ADAPTIVE.max, adaptiveConcurrency.min ?? 0),
      },
    }),
    maxLoopDelayMs: durationMs(maxEventLoopDelay, 0),
    priorities: priorities.map(({ priority = "DEFAULT", match }) => ({
      priority: priority.toLowerCase() as Priority,
      matches: anyOf(match),
    })),
    priorityHeader: priorityHeader.toLowerCase(),
    resource: refOf(resource, "spec.server"),
  };
}

/** One of them is enough; none at all mean every request. */
function anyOf(specs: readonly RequestMatchSpec[] | undefined): (request: MatchRequest) => boolean {
  if (specs === undefined || specs.length === 0) return () => true;
  const matches = specs.map((spec) => new RequestMatch(spec));
  return (request) => matches.some((match) => match.matches(request));
}

function refOf({ kind, namespace, name }: Resource, path: string): RuleRef {
  return { resource: { kind, namespace, name }, path };
}
