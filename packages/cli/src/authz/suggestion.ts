/** Least privilege from what was observed: one ALLOW policy for each service, which lets in what came and was let in. */

import type { Lease } from "@inmesh/core";
import type { ObservedCall } from "@inmesh/core/admin";
import { mergedTemplates } from "@inmesh/core/internal";

/** What the processes of one service saw. */
export interface ObservedService {
  readonly namespace: string;
  readonly service: string;
  readonly leases: readonly Lease[];
  readonly calls: readonly ObservedCall[];
  /** Requests that are in no line. */
  readonly beyond: number;
}

/** An AuthorizationPolicy as a document. */
export interface SuggestedPolicy extends Readonly<Record<string, unknown>> {
  readonly metadata: object;
}

export interface Suggestion {
  /** Undefined where there is nothing to allow, or nothing to select the service by. */
  readonly policy: SuggestedPolicy | undefined;
  /** Calls that it was made from. */
  readonly from: readonly ObservedCall[];
  /** In words, why there is no policy; empty where there is one. */
  readonly reason: string;
}

interface Operation {
  readonly methods: readonly string[];
  readonly paths: readonly string[];
}

/** @param sinceMs calls that came last before that are left out */
export function suggest(seen: ObservedService, sinceMs: number): Suggestion {
  const recent = seen.calls.filter(({ lastAgoMs, count, denied }) => lastAgoMs <= sinceMs && count > denied);
  const from = recent.filter(({ caller }) => caller !== "");
  if (from.length === 0) {
    const reason =
      recent.length > 0
        ? "all its callers are in plaintext: a policy can name nobody"
        : "nobody was seen calling it in that time";
    return { policy: undefined, from, reason };
  }
  const matchLabels = commonLabels(seen.leases);
  if (matchLabels === undefined) {
    return { policy: undefined, from, reason: "its processes have no label in common that a selector could name" };
  }
  const metadata = { name: `${seen.service}-callers`, namespace: seen.namespace };
  const spec = { selector: { matchLabels }, action: "ALLOW", rules: rulesOf(from) };
  return {
    policy: { apiVersion: "security.istio.io/v1", kind: "AuthorizationPolicy", metadata, spec },
    from,
    reason: "",
  };
}

/** With Istio's annotation: it decides beside the others and denies nothing. */
export function inDryRun(policy: SuggestedPolicy): SuggestedPolicy {
  return { ...policy, metadata: { ...policy.metadata, annotations: { "istio.io/dry-run": "true" } } };
}

/** `app` is what a process gets by default; else whatever all of them say. */
function commonLabels(leases: readonly Lease[]): Record<string, string> | undefined {
  const [first, ...others] = leases;
  if (first === undefined) return undefined;
  const shared = Object.entries(first.labels).filter(([key, value]) =>
    others.every(({ labels }) => labels[key] === value),
  );
  const app = shared.find(([key]) => key === "app");
  if (app !== undefined) return Object.fromEntries([app]);
  return shared.length === 0 ? undefined : Object.fromEntries(shared);
}

/** Callers that do the same share a rule. */
function rulesOf(calls: readonly ObservedCall[]): object[] {
  const rules = new Map<string, { principals: string[]; to: readonly { operation: Operation }[] }>();
  for (const caller of sorted(calls.map((call) => call.caller))) {
    const to = operationsOf(calls.filter((call) => call.caller === caller)).map((operation) => ({ operation }));
    const key = JSON.stringify(to);
    const rule = rules.get(key) ?? { principals: [], to };
    rule.principals.push(caller);
    rules.set(key, rule);
  }
  return [...rules.values()].map(({ principals, to }) => ({ from: [{ source: { principals } }], to }));
}

/** Methods with the same paths share an operation. */
function operationsOf(calls: readonly ObservedCall[]): Operation[] {
  const operations = new Map<string, { methods: string[]; paths: readonly string[] }>();
  for (const method of sorted(calls.map((call) => call.method))) {
    const paths = mergedTemplates(calls.filter((call) => call.method === method).map(({ path }) => path));
    const key = JSON.stringify(paths);
    const operation = operations.get(key) ?? { methods: [], paths };
    operation.methods.push(method);
    operations.set(key, operation);
  }
  return [...operations.values()];
}

function sorted(values: readonly string[]): readonly string[] {
  return [...new Set(values)].sort();
}
