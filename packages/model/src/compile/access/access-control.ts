/** AuthorizationPolicies that mean one workload, compiled into who may do what there. policy-semantics §4.4 to §4.8. */

import type { AuthorizationPolicySpec } from "../../kind/authorization-policy.js";
import { type Resource, type ResourceRef, resourceKey } from "../../resource.js";
import {
  type AccessAction,
  type AccessControl,
  type AccessDecision,
  type AccessRequest,
  type AccessRule,
  type CustomAccess,
  type DryRunDecision,
  NO_ACCESS_CONTROL,
} from "../../snapshot/security.js";
import { DRY_RUN } from "../../validate/envelope.js";
import { foldCase } from "../path-test.js";
import { AddressBits } from "./address-bits.js";
import type { Clause } from "./clause.js";
import { addressFacts } from "./facts.js";
import { compileRule, type Plane } from "./rule.js";
import { RuleIndex } from "./rule-index.js";

type Policy = Resource<AuthorizationPolicySpec>;

export interface AccessInput {
  /** That mean the workload, oldest first. */
  readonly policies: readonly Policy[];
  /** Security documents that mean it, were refused and have no predecessor: what they would have said nobody knows. */
  readonly refused: readonly ResourceRef[];
  /** The mesh's own, then its aliases. */
  readonly trustDomains: readonly string[];
  readonly ignoresPathCase: boolean;
}

export function compileAccess(input: AccessInput): AccessControl {
  return input.policies.length === 0 && input.refused.length === 0 ? NO_ACCESS_CONTROL : new CompiledAccess(input);
}

class CompiledAccess implements AccessControl {
  readonly active = true;
  readonly comparesPathCase: boolean;
  readonly asksProviders: boolean;
  readonly #input: AccessInput;
  readonly #http: PlaneAccess;
  /** Few processes are asked about other connections. */
  #tcp: PlaneAccess | undefined;

  constructor(input: AccessInput) {
    this.#input = input;
    this.#http = new PlaneAccess(input, "http");
    this.comparesPathCase = !input.ignoresPathCase && input.policies.some(isEvadedByCase);
    this.asksProviders = input.policies.some(({ spec }) => spec.action === "CUSTOM");
  }

  custom(request: AccessRequest): CustomAccess | undefined {
    return this.#plane(request).custom.first(this.#seen(request));
  }

  decide(request: AccessRequest): AccessDecision {
    return this.#plane(request).decide(this.#seen(request));
  }

  #plane({ http }: AccessRequest): PlaneAccess {
    if (http !== undefined) return this.#http;
    this.#tcp ??= new PlaneAccess(this.#input, "tcp");
    return this.#tcp;
  }

  #seen(request: AccessRequest): AccessRequest {
    const { http } = request;
    if (!this.#input.ignoresPathCase || http === undefined) return request;
    const path = foldCase(http.path);
    return path === http.path ? request : new Folded(request, path);
  }
}

/** The rules of one plane. */
class PlaneAccess {
  readonly custom: RuleIndex<CustomAccess>;
  readonly #refused: AccessDecision | undefined;
  readonly #deny: RuleIndex<AccessDecision>;
  readonly #allow: RuleIndex<AccessDecision>;
  readonly #audit: RuleIndex<AccessRule>;
  readonly #rehearsed: readonly RehearsedPolicy[];
  /** Where no rule matched. */
  readonly #otherwise: AccessDecision;

  constructor({ policies, refused, trustDomains, ignoresPathCase }: AccessInput, plane: Plane) {
    const addresses = addressFacts(new AddressBits());
    const inForce = policies.filter((policy) => !isRehearsed(policy));
    const compiled = (chosen: readonly Policy[], action: AccessAction): readonly (readonly [AccessRule, Clause])[] =>
      chosen
        .filter(({ spec }) => (spec.action ?? "ALLOW") === action)
        .flatMap((policy) => {
          const context = { namespace: policy.namespace, trustDomains, addresses, ignoresPathCase };
          return (policy.spec.rules ?? []).flatMap((spec, rule): (readonly [AccessRule, Clause])[] => {
            const clause = compileRule(spec, action, plane, context);
            return clause === undefined ? [] : [[{ action, policy: refOf(policy), rule }, clause]];
          });
        });
    const [refusal] = refused;
    this.#refused = refusal && decided(false, { action: "DENY", policy: refusal, rule: -1 }, refusalText(refusal));
    this.#deny = new RuleIndex(compiled(inForce, "DENY").map(([rule, clause]) => [denial(rule), clause]));
    this.#allow = new RuleIndex(compiled(inForce, "ALLOW").map(([rule, clause]) => [permission(rule), clause]));
    this.#audit = new RuleIndex(compiled(inForce, "AUDIT"));
    const customs = inForce.filter(({ spec }) => spec.action === "CUSTOM");
    const providers = [...new Set(customs.map(({ spec }) => spec.provider?.name ?? ""))];
    const refusalOfCustom = whyNotAsked(providers, plane);
    this.custom = new RuleIndex(
      compiled(inForce, "CUSTOM").map(([rule, clause]) => {
        const provider = customs.find((policy) => resourceKey(policy) === resourceKey(rule.policy))?.spec.provider
          ?.name;
        return [{ rule, provider: provider ?? "", refusal: refusalOfCustom }, clause];
      }),
    );
    this.#rehearsed = policies.filter(isRehearsed).map((policy) => {
      const action = policy.spec.action ?? "ALLOW";
      return { policy: refOf(policy), allows: action === "ALLOW", rules: new RuleIndex(compiled([policy], action)) };
    });
    this.#otherwise = otherwise(inForce.filter(({ spec }) => (spec.action ?? "ALLOW") === "ALLOW"));
  }

  decide(request: AccessRequest): AccessDecision {
    const decision = this.#refused ?? this.#deny.first(request) ?? this.#allow.first(request) ?? this.#otherwise;
    if (this.#audit.size === 0 && this.#rehearsed.length === 0) return decision;
    const audit = this.#audit.size === 0 ? [] : this.#audit.all(request);
    const dryRun = this.#rehearsed.map(({ policy, allows, rules }): DryRunDecision => {
      const matches = rules.first(request) !== undefined;
      return { policy, wouldAllow: matches === allows };
    });
    return { ...decision, audit, dryRun };
  }
}

/** A policy that is only tried out: what it alone would decide. */
interface RehearsedPolicy {
  readonly policy: ResourceRef;
  readonly allows: boolean;
  readonly rules: RuleIndex<AccessRule>;
}

/** The same request, its path in lower case. */
class Folded implements AccessRequest {
  readonly http: AccessRequest["http"];
  readonly #request: AccessRequest;

  constructor(request: AccessRequest, path: string) {
    const { http } = request;
    this.#request = request;
    this.http = http && {
      method: http.method,
      authority: http.authority,
      path,
      target: path + http.target.slice(http.path.length),
      header: (name) => http.header(name),
    };
  }

  get peer(): AccessRequest["peer"] {
    return this.#request.peer;
  }
  get sourceIp(): string {
    return this.#request.sourceIp;
  }
  get remoteIp(): string {
    return this.#request.remoteIp;
  }
  get destinationIp(): string {
    return this.#request.destinationIp;
  }
  get port(): number {
    return this.#request.port;
  }
  get sni(): string {
    return this.#request.sni;
  }
  get claims(): AccessRequest["claims"] {
    return this.#request.claims;
  }
}

function isEvadedByCase({ spec: { action = "ALLOW", rules = [] } }: Policy): boolean {
  const hasLetters = (paths: readonly string[] = []): boolean => paths.some((path) => /[a-z]/i.test(path));
  const operations = rules.flatMap(({ to = [] }) => to.map(({ operation = {} }) => operation));
  return operations.some(({ paths, notPaths }) => hasLetters(notPaths) || (action !== "ALLOW" && hasLetters(paths)));
}

function isRehearsed({ metadata, spec: { action = "ALLOW" } }: Policy): boolean {
  if (action !== "ALLOW" && action !== "DENY") return false;
  return /^(?:1|t|T|TRUE|true|True)$/.test(metadata.annotations[DRY_RUN] ?? "");
}

function otherwise(allowing: readonly Policy[]): AccessDecision {
  if (allowing.length === 0)
    return decided(true, null, "no DENY rule matches, and no ALLOW policy means this workload");
  const [first, second] = allowing;
  const named = first && `${first.kind} ${first.namespace}/${first.name}`;
  const policies = second === undefined ? named : `${named} and ${allowing.length - 1} more`;
  return decided(false, null, `no rule of action ALLOW matches, and ${policies} let in only what one matches`);
}

/** Istio asks one provider for a workload, and denies what another should be asked about (policy-semantics §4.7). */
function whyNotAsked(providers: readonly string[], plane: Plane): string {
  if (plane === "tcp") return "no external authorizer is asked about connections that are no HTTP";
  if (providers.length < 2) return "";
  return `policies of action CUSTOM name several providers (${providers.join(", ")}), and one is asked for a workload`;
}

function refusalText({ kind, namespace, name }: ResourceRef): string {
  return `${kind} ${namespace}/${name} is not valid, so what it selects is denied until it is corrected`;
}

function ruleText({ action, policy: { kind, namespace, name }, rule }: AccessRule): string {
  return `rule ${rule} of ${kind} ${namespace}/${name} matches, its action is ${action}`;
}

function denial(rule: AccessRule): AccessDecision {
  return decided(false, rule, ruleText(rule));
}

function permission(rule: AccessRule): AccessDecision {
  return decided(true, rule, ruleText(rule));
}

const NO_RULES: readonly never[] = Object.freeze([]);

function decided(allowed: boolean, decidedBy: AccessRule | null, reason: string): AccessDecision {
  return Object.freeze({ allowed, decidedBy, reason, audit: NO_RULES, dryRun: NO_RULES });
}

function refOf({ kind, namespace, name }: Policy): ResourceRef {
  return { kind, namespace, name };
}
