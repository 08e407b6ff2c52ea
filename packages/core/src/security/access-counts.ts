/** What the guard has decided so far, by rule; and says when a rule begins to deny, once: a log must not grow with the load. */

import { type AccessDecision, type AccessRequest, type AccessRule, resourceKey } from "@inmesh/model";
import { Shedding } from "../admission/shedding.js";
import type { Clock } from "../runtime/clock.js";
import type { Arrival } from "./arrival.js";

export interface RuleCount {
  /** `AuthorizationPolicy/ns/name`. */
  readonly policy: string;
  /** Index in `spec.rules`; -1 for none. */
  readonly rule: number;
  readonly action: string;
  readonly count: number;
}

export interface GuardReading {
  readonly allowed: number;
  /** 403: by a rule, by an external authorizer, or because no ALLOW rule matched. */
  readonly denied: number;
  /** 401. */
  readonly tokensRefused: number;
  /** 400: targets and hosts that cannot be read in one way. */
  readonly invalid: number;
  /** Of rules that decided, and of AUDIT rules that matched. */
  readonly rules: readonly RuleCount[];
  /** Requests that no ALLOW rule matched. */
  readonly unmatched: number;
  readonly dryRun: readonly { readonly policy: string; readonly wouldAllow: number; readonly wouldDeny: number }[];
}

/** Of what a caller wrote, in a log line. */
const SHOWN_CHARS = 120;

export class AccessCounts {
  readonly #spells: Shedding;
  readonly #rules = new Map<AccessRule, number>();
  /** Of rules of earlier policy, by their names: what is compiled anew has other objects. */
  #settled: ReadonlyMap<string, RuleCount> = new Map();
  readonly #dryRun = new Map<string, { wouldAllow: number; wouldDeny: number }>();
  #allowed = 0;
  #denied = 0;
  #tokensRefused = 0;
  #invalid = 0;
  #unmatched = 0;

  constructor(clock: Clock, say: (message: string) => void) {
    this.#spells = new Shedding(clock, say);
  }

  decided({ allowed, decidedBy, reason, audit, dryRun }: AccessDecision, request: AccessRequest, now: number): void {
    for (const rule of audit) this.#count(rule);
    for (const { policy, wouldAllow } of dryRun) this.#rehearsed(resourceKey(policy), wouldAllow);
    if (!allowed) return this.#deny(decidedBy, reason, request, now);
    this.#allowed += 1;
    if (decidedBy !== null) this.#count(decidedBy);
  }

  /** By a CUSTOM rule. */
  denied(rule: AccessRule, reason: string, request: AccessRequest, now: number): void {
    this.#deny(rule, reason, request, now);
  }

  tokenRefused(reason: string, request: AccessRequest, now: number): void {
    this.#tokensRefused += 1;
    this.#spells.turnedAway("RequestAuthentication", `${reason}; ${shown(request)}`, now);
  }

  invalid(reason: string, { method, target, remoteAddress = "" }: Arrival, now: number): void {
    this.#invalid += 1;
    const what = JSON.stringify(`${method} ${target}`.slice(0, SHOWN_CHARS));
    this.#spells.turnedAway("the check of what requests ask for", `${reason}: ${what} from ${remoteAddress}`, now);
  }

  /** Policy has changed. */
  settle(): void {
    this.#settled = this.#joined();
    this.#rules.clear();
  }

  close(): void {
    this.#spells.close();
  }

  read(): GuardReading {
    return {
      allowed: this.#allowed,
      denied: this.#denied,
      tokensRefused: this.#tokensRefused,
      invalid: this.#invalid,
      unmatched: this.#unmatched,
      rules: [...this.#joined().values()],
      dryRun: [...this.#dryRun].map(([policy, counts]) => ({ policy, ...counts })),
    };
  }

  #deny(rule: AccessRule | null, reason: string, request: AccessRequest, now: number): void {
    this.#denied += 1;
    if (rule === null) this.#unmatched += 1;
    else this.#count(rule);
    this.#spells.turnedAway(ruleText(rule), `${reason}: ${shown(request)}`, now);
  }

  #count(rule: AccessRule): void {
    this.#rules.set(rule, (this.#rules.get(rule) ?? 0) + 1);
  }

  #rehearsed(policy: string, wouldAllow: boolean): void {
    const known = this.#dryRun.get(policy);
    const counts = known ?? { wouldAllow: 0, wouldDeny: 0 };
    if (known === undefined) this.#dryRun.set(policy, counts);
    if (wouldAllow) counts.wouldAllow += 1;
    else counts.wouldDeny += 1;
  }

  #joined(): ReadonlyMap<string, RuleCount> {
    const joined = new Map(this.#settled);
    for (const [{ policy, rule, action }, count] of this.#rules) {
      const key = `${resourceKey(policy)}#${rule}`;
      joined.set(key, { policy: resourceKey(policy), rule, action, count: count + (joined.get(key)?.count ?? 0) });
    }
    return joined;
  }
}

export function ruleText(rule: AccessRule | null): string {
  if (rule === null) return "ALLOW policies";
  const { kind, namespace, name } = rule.policy;
  const which = rule.rule < 0 ? "" : ` rule ${rule.rule} of`;
  return `${rule.action}${which} ${kind} ${namespace}/${name}`;
}

/** Who asked for what, without query: that may hold anything. */
function shown({ http, peer, sourceIp }: AccessRequest): string {
  const what =
    http === undefined ? "a connection" : JSON.stringify(`${http.method} ${http.path}`.slice(0, SHOWN_CHARS));
  return `${what} from ${peer?.id ?? "a caller without certificate"} at ${sourceIp || "no address"}`;
}
