/** AuthorizationPolicies and RequestAuthentications that mean less, or more, than they seem to. policy-semantics §4.3 to §4.7. */

import { type Selecting, selectorOf } from "../compile/security-documents.js";
import { ACCOUNTS_ANNOTATION, annotatedAccounts } from "../compile/service-identities.js";
import type { AuthorizationPolicySpec, AuthorizationRuleSpec } from "../kind/authorization-policy.js";
import type { MeshConfigSpec } from "../kind/mesh-config.js";
import { hasTargets } from "../kind/policy-target.js";
import type { RequestAuthenticationSpec } from "../kind/request-authentication.js";
import type { ServiceSpec } from "../kind/service.js";
import type { Resource } from "../resource.js";
import type { Workload } from "../snapshot/workload.js";
import { accountFault } from "../validate/authorization-source.js";
import { nearestName } from "../validate/nearest-name.js";
import { type Finding, suggestion } from "./finding.js";
import { checkSelected } from "./selected-workloads.js";

const FOR_TARGETS = "IM0801";
const DENIES_ALL = "IM0802";
const EMPTY_LIST = "IM0803";
const UNKNOWN_PROVIDER = "IM0808";
const NO_TOKENS = "IM0809";
const NO_ACCOUNT = "IM0810";

type Policy = Resource<AuthorizationPolicySpec>;
type Tokens = Resource<RequestAuthenticationSpec>;

export interface SecurityContext {
  readonly workloads: readonly Workload[];
  readonly rootNamespace: string;
}

/** @param resource of any of the three kinds */
export function checkWhomItMeans(
  resource: Selecting,
  { workloads, rootNamespace }: SecurityContext,
  report: Finding,
): void {
  if (hasTargets(resource.spec)) {
    const message = `what has targets is for gateways and waypoints, and there are none here: no process acts on this ${resource.kind}. Write a selector in their place.`;
    const field = "targetRef" in resource.spec ? "targetRef" : "targetRefs";
    report(resource, ["spec", field], FOR_TARGETS, "warning", message);
    return;
  }
  const labels = selectorOf(resource);
  if (workloads.length === 0 || Object.keys(labels).length === 0) return;
  const consequence = "the document holds for nobody. Compare with: inmesh endpoints SERVICE -o wide";
  checkSelected(resource, labels, workloads, rootNamespace, consequence, report);
}

export function checkAuthorizationPolicy(
  resource: Policy,
  tokens: readonly Tokens[],
  meshConfig: Resource<MeshConfigSpec> | undefined,
  rootNamespace: string,
  report: Finding,
): void {
  const { action = "ALLOW", rules = [], provider } = resource.spec;
  if (hasTargets(resource.spec)) return;
  if (action === "ALLOW" && rules.length === 0) {
    const message =
      "an ALLOW without rules lets nobody in: what other policies do not allow is refused. Keep it where that is meant; write rules: [{}] to let everybody in.";
    report(resource, ["spec"], DENIES_ALL, "info", message);
  }
  for (const [index, { from, to }] of rules.entries()) {
    for (const [field, list, means] of [
      ["from", from, "anybody"],
      ["to", to, "whatever is done"],
    ] as const) {
      if (list?.length !== 0) continue;
      const message = `an empty ${field} is as good as none, so the rule means ${means}. Name somebody or something, or remove the field.`;
      report(resource, ["spec", "rules", index, field], EMPTY_LIST, "warning", message);
    }
  }
  if (action === "CUSTOM" && provider?.name) checkProvider(resource, provider.name, meshConfig, report);
  checkTokens(resource, tokens, rootNamespace, report);
}

function checkProvider(
  resource: Policy,
  name: string,
  meshConfig: Resource<MeshConfigSpec> | undefined,
  report: Finding,
): void {
  const providers = meshConfig?.spec.extensionProviders ?? [];
  const found = providers.find((provider) => provider.name === name);
  if (found?.envoyExtAuthzHttp !== undefined || found?.envoyExtAuthzGrpc !== undefined) return;
  const near = nearestName(
    name,
    providers.flatMap((provider) => provider.name ?? []),
  );
  const why =
    found === undefined
      ? `MeshConfig has no extensionProvider "${name}".`
      : `extensionProvider "${name}" is none that decides about requests.`;
  const advice = found === undefined ? suggestion(near) : "";
  const message = `${why} What the policy would ask it is refused.${advice} Define one with envoyExtAuthzHttp or envoyExtAuthzGrpc.`;
  report(resource, ["spec", "provider", "name"], UNKNOWN_PROVIDER, "error", message);
}

/** Whether anybody looks at tokens where a rule asks for what stands in one: else it holds for nobody, and a "not" for all. */
function checkTokens(resource: Policy, tokens: readonly Tokens[], rootNamespace: string, report: Finding): void {
  const { namespace, spec } = resource;
  const looks = tokens.some(
    (other) =>
      !hasTargets(other.spec) &&
      (other.spec.jwtRules ?? []).length > 0 &&
      (namespace === rootNamespace || other.namespace === namespace || other.namespace === rootNamespace),
  );
  if (looks) return;
  for (const [index, rule] of (spec.rules ?? []).entries()) {
    if (!asksForToken(rule)) continue;
    const message = `the rule asks for what stands in a token, and no RequestAuthentication of "${namespace}" or "${rootNamespace}" takes any: nobody has one. Write one that names the issuer.`;
    report(resource, ["spec", "rules", index], NO_TOKENS, "warning", message);
  }
}

function asksForToken({ from = [], when = [] }: AuthorizationRuleSpec): boolean {
  const asked = from.some(
    ({ source }) => (source?.requestPrincipals ?? []).length > 0 || (source?.notRequestPrincipals ?? []).length > 0,
  );
  return asked || when.some(({ key = "" }) => key.startsWith("request.auth."));
}

/** On a Service: whose certificates are taken for its own. */
export function checkAccounts(resource: Resource<ServiceSpec>, report: Finding): void {
  const text = resource.metadata.annotations[ACCOUNTS_ANNOTATION];
  if (text === undefined) return;
  for (const account of annotatedAccounts(text, resource.namespace)) {
    const fault = accountFault(account);
    if (fault === undefined) continue;
    report(
      resource,
      ["metadata", "annotations", ACCOUNTS_ANNOTATION],
      NO_ACCOUNT,
      "warning",
      `${fault} Nobody has it now.`,
    );
  }
}
