/** RBAC filters of one chain, in their order: who may do what at the port that the chain is for. */

import type {
  AccessAction,
  AccessControl,
  AccessDecision,
  AccessRequest,
  AccessRule,
  CustomAccess,
  DryRunDecision,
  ResourceRef,
} from "@inmesh/model";
import type { AskedAuthorizer } from "./ext-authz.js";
import { type AccessTest, type Permission, type Principal, permissionTest, principalTest } from "./rbac-matcher.js";
import type { Findings } from "./refusal.js";
import type { Fields } from "./schema.js";

type Policy = Fields<{
  permissions: readonly Permission[];
  principals: readonly Principal[];
  condition: object;
  checked_condition: object;
}>;
type Rules = Fields<{ action: string | number; policies: Readonly<Record<string, Policy>> }>;

export type RbacFilter = Fields<{
  rules: Rules;
  matcher: object;
  shadow_rules: Rules;
  shadow_matcher: object;
  shadow_rules_stat_prefix: string;
}>;

interface NamedTest {
  readonly rule: AccessRule;
  readonly test: AccessTest;
}

interface RuleSet {
  readonly action: AccessAction;
  readonly tests: readonly NamedTest[];
}

/** What one chain asks, at most one of each. */
export interface ChainAccess {
  readonly enforced: readonly RuleSet[];
  readonly rehearsed: readonly RuleSet[];
  /** Requests that somebody else is asked about, and whom. */
  readonly custom: RuleSet | undefined;
  readonly provider: string;
  /** Why nobody can be asked, so that such requests are denied. */
  readonly refusal: string;
}

/** Shadow rules that only mark what an authorizer is asked about. */
const ASKED_ABOUT = "istio_ext_authz_";

export function compileChainAccess(
  filters: readonly RbacFilter[],
  { provider, refusal, always }: AskedAuthorizer,
  findings: Findings,
): ChainAccess {
  const enforced: RuleSet[] = [];
  const rehearsed: RuleSet[] = [];
  let custom = always ? allAsked(provider) : undefined;
  for (const { rules, shadow_rules, matcher, shadow_matcher, shadow_rules_stat_prefix = "" } of filters) {
    if (matcher !== undefined) findings.fault("rbac.matcher is not supported");
    if (shadow_matcher !== undefined) findings.notHonoured("rbac.shadow_matcher");
    if (rules !== undefined) enforced.push(ruleSet(rules, findings));
    if (shadow_rules === undefined) continue;
    const set = ruleSet(shadow_rules, findings);
    if (shadow_rules_stat_prefix === ASKED_ABOUT && !always)
      custom = { ...set, action: "CUSTOM", tests: set.tests.map(asCustom) };
    else rehearsed.push(set);
  }
  return { enforced, rehearsed, custom, provider, refusal };
}

/** Somebody else judges every request. */
function allAsked(name: string): RuleSet {
  const rule: AccessRule = { action: "CUSTOM", policy: { kind: "Listener", namespace: "", name }, rule: 0 };
  return { action: "CUSTOM", tests: [{ rule, test: () => true }] };
}

/** No request passes. @param why for operators */
export function closed(why: string): ChainAccess {
  const rule: AccessRule = { action: "DENY", policy: { kind: "Listener", namespace: "", name: "" }, rule: -1 };
  const deny: RuleSet = { action: "DENY", tests: [{ rule, test: () => true }] };
  return { enforced: [deny], rehearsed: [], custom: undefined, provider: "", refusal: why };
}

function asCustom({ rule, test }: NamedTest): NamedTest {
  return { rule: { ...rule, action: "CUSTOM" }, test };
}

const ACTIONS: Readonly<Record<string, AccessAction>> = { ALLOW: "ALLOW", DENY: "DENY", LOG: "AUDIT" };

function ruleSet({ action: written = "ALLOW", policies = {} }: Rules, findings: Findings): RuleSet {
  const action = ACTIONS[String(written)];
  if (action === undefined) findings.fault(`rbac.rules.action ${written} is not known`);
  const tests = Object.entries(policies).map(([name, policy]): NamedTest => {
    if (policy.condition !== undefined || policy.checked_condition !== undefined) {
      findings.fault(`the policy ${name} has a condition in CEL, which is not supported`);
    }
    const permissions = (policy.permissions ?? []).map((each) => permissionTest(each, findings));
    const principals = (policy.principals ?? []).map((each) => principalTest(each, findings));
    return {
      rule: { action: action ?? "DENY", ...originOfRule(name) },
      test: (request) => permissions.some((test) => test(request)) && principals.some((test) => test(request)),
    };
  });
  return { action: action ?? "DENY", tests };
}

/** istiod: `ns[shop]-policy[allow-reviews]-rule[1]`, for gRPC `shop-allow-reviews-1`, of which only the whole is plain. */
const SIDECAR_RULE = /ns\[([^\]]*)\]-policy\[([^\]]*)\]-rule\[(\d+)\]$/;

function originOfRule(name: string): { readonly policy: ResourceRef; readonly rule: number } {
  const [, namespace, policy, rule] = SIDECAR_RULE.exec(name) ?? [];
  if (policy === undefined) return { policy: { kind: "AuthorizationPolicy", namespace: "", name }, rule: 0 };
  return { policy: { kind: "AuthorizationPolicy", namespace: namespace ?? "", name: policy }, rule: Number(rule) };
}

/** Chains by port; whoever comes at another port meets the one for all of them. */
export class PortAccess implements AccessControl {
  readonly active: boolean;
  readonly comparesPathCase = false;
  readonly asksProviders: boolean;
  readonly #http: ReadonlyMap<number, ChainAccess>;
  readonly #tcp: ReadonlyMap<number, ChainAccess>;
  readonly #others: { readonly http: ChainAccess | undefined; readonly tcp: ChainAccess | undefined };

  constructor(
    http: ReadonlyMap<number, ChainAccess>,
    tcp: ReadonlyMap<number, ChainAccess>,
    others: { readonly http: ChainAccess | undefined; readonly tcp: ChainAccess | undefined },
  ) {
    this.#http = http;
    this.#tcp = tcp;
    this.#others = others;
    const all = [...http.values(), ...tcp.values(), others.http, others.tcp].flatMap((each) => each ?? []);
    this.active = all.some(({ enforced, rehearsed, custom }) => enforced.length + rehearsed.length > 0 || custom);
    this.asksProviders = all.some(({ custom }) => custom !== undefined);
  }

  custom(request: AccessRequest): CustomAccess | undefined {
    const chain = this.#chain(request);
    const found = chain?.custom?.tests.find(({ test }) => test(request));
    return found && chain && { rule: found.rule, provider: chain.provider, refusal: chain.refusal };
  }

  decide(request: AccessRequest): AccessDecision {
    const chain = this.#chain(request);
    if (chain === undefined)
      return { allowed: true, decidedBy: null, reason: "no RBAC filter speaks about this port", audit: [], dryRun: [] };
    const audit = chain.enforced
      .filter(({ action }) => action === "AUDIT")
      .flatMap(({ tests }) => tests.filter(({ test }) => test(request)).map(({ rule }) => rule));
    const dryRun = chain.rehearsed.flatMap((set) => rehearse(set, request));
    return { ...judge(chain, request), audit, dryRun };
  }

  #chain({ http, port }: AccessRequest): ChainAccess | undefined {
    return http === undefined ? (this.#tcp.get(port) ?? this.#others.tcp) : (this.#http.get(port) ?? this.#others.http);
  }
}

/** Filters in their order: each lets a request through, or ends it. */
function judge({ enforced, refusal }: ChainAccess, request: AccessRequest): Omit<AccessDecision, "audit" | "dryRun"> {
  let last: AccessRule | null = null;
  for (const { action, tests } of enforced) {
    if (action === "AUDIT") continue;
    const found = tests.find(({ test }) => test(request));
    if (action === "DENY" && found !== undefined) {
      return {
        allowed: false,
        decidedBy: found.rule,
        reason: found.rule.rule < 0 ? refusal : `${ruleText(found.rule)} matches, its action is DENY`,
      };
    }
    if (action !== "ALLOW") continue;
    if (found === undefined) return { allowed: false, decidedBy: null, reason: "no rule of action ALLOW matches" };
    last = found.rule;
  }
  return {
    allowed: true,
    decidedBy: last,
    reason:
      last === null
        ? "no DENY rule matches, and no ALLOW policy means this port"
        : `${ruleText(last)} matches, its action is ALLOW`,
  };
}

function rehearse({ action, tests }: RuleSet, request: AccessRequest): readonly DryRunDecision[] {
  const byPolicy = new Map<string, DryRunDecision>();
  for (const { rule, test } of tests) {
    const key = `${rule.policy.namespace}/${rule.policy.name}`;
    const matches = test(request) || byPolicy.get(key)?.wouldAllow === (action === "ALLOW");
    byPolicy.set(key, { policy: rule.policy, wouldAllow: matches === (action === "ALLOW") });
  }
  return [...byPolicy.values()];
}

function ruleText({ policy: { kind, namespace, name }, rule }: AccessRule): string {
  return `rule ${rule} of ${kind} ${namespace === "" ? name : `${namespace}/${name}`}`;
}
