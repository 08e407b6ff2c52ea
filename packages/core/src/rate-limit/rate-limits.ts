/**
 * The rate limits of this process's servers: every rule that matches must have a token, asked in order of their names. What a
 * later rule refuses costs nothing at the earlier ones.
 */

import { type MatchRequest, type RateLimitPolicy, resourceKey } from "@inmesh/model";
import { limitItem, policyItem, quotedName, wholeSeconds } from "./rate-limit-headers.js";
import { keyText, requestKey } from "./request-key.js";
import { type Bucket, TokenBuckets } from "./token-buckets.js";

export interface RateLimitReading {
  /** `ns/name/rule`. */
  readonly name: string;
  readonly resource: string;
  readonly path: string;
  /** What tells requests apart, in words; empty: all share one bucket. */
  readonly by: readonly string[];
  readonly requests: number;
  readonly perMs: number;
  readonly burst: number;
  /** Buckets there are. */
  readonly buckets: number;
  /** Requests that it let pass, others may have refused them, and that it refused. */
  readonly passed: number;
  readonly refused: number;
}

/** One rule with its buckets. They outlive every policy that does not change its numbers or keys. */
export class RateLimitRule {
  policy: RateLimitPolicy;
  readonly buckets: TokenBuckets;
  readonly quotedName: string;
  /** Its part of `RateLimit-Policy`. */
  readonly item: string;
  passed = 0;
  refused = 0;

  constructor(policy: RateLimitPolicy) {
    this.policy = policy;
    this.buckets = new TokenBuckets(policy);
    this.quotedName = quotedName(policy.name);
    this.item = policyItem(this.quotedName, policy);
  }

  read(): RateLimitReading {
    const { name, resource, keys, requests, perMs, burst } = this.policy;
    return {
      ...{ name, requests, perMs, burst, buckets: this.buckets.size, passed: this.passed, refused: this.refused },
      ...{ resource: resourceKey(resource.resource), path: resource.path, by: keys.map(keyText) },
    };
  }
}

/** What one request took of the rules that match it. */
export class TakenTokens {
  readonly #rules: RateLimitRule[] = [];
  readonly #buckets: Bucket[] = [];
  /** The rule that had none; the others have theirs back then. */
  refusedBy: RateLimitRule | undefined = undefined;

  /** @returns whether the rule had one */
  take(rule: RateLimitRule, bucket: Bucket): boolean {
    const taken = rule.buckets.take(bucket);
    if (!taken) {
      rule.refused += 1;
      this.giveBack();
      this.refusedBy = rule;
    } else rule.passed += 1;
    this.#rules.push(rule);
    this.#buckets.push(bucket);
    return taken;
  }

  /** The request was not served after all. */
  giveBack(): void {
    for (const [index, rule] of this.#rules.entries()) rule.buckets.giveBack(this.#buckets[index]!); // grown together
  }

  /** Whole seconds until the rule that refused has a token. */
  get retryAfter(): number {
    const rule = this.refusedBy;
    return rule === undefined ? 0 : wholeSeconds(rule.buckets.waitMs(this.#buckets.at(-1)!)); // it came last
  }

  /** Flat `[name, value, …]`. */
  headers(): string[] {
    let policies = "";
    let limits = "";
    for (let index = 0; index < this.#rules.length; index++) {
      const rule = this.#rules[index]!; // within its length
      const bucket = this.#buckets[index]!; // grown together
      // Of a refusal it is the time that Retry-After says.
      const resetMs = rule === this.refusedBy ? this.retryAfter * 1_000 : rule.buckets.fullMs(bucket);
      const item = limitItem(rule.quotedName, bucket.tokens, resetMs);
      policies = index === 0 ? rule.item : `${policies}, ${rule.item}`;
      limits = index === 0 ? item : `${limits}, ${item}`;
    }
    return ["RateLimit-Policy", policies, "RateLimit", limits];
  }
}

export class RateLimits {
  #rules: readonly RateLimitRule[] = [];

  update(policies: readonly RateLimitPolicy[]): void {
    const known = new Map(this.#rules.map((rule) => [rule.policy.name, rule]));
    this.#rules = policies.map((policy) => {
      const rule = known.get(policy.name);
      if (rule === undefined || !sameBuckets(rule.policy, policy)) return new RateLimitRule(policy);
      rule.policy = policy;
      return rule;
    });
  }

  get any(): boolean {
    return this.#rules.length > 0;
  }

  /** @returns undefined when no rule concerns the request */
  take(request: MatchRequest, source: string, now: number): TakenTokens | undefined {
    let taken: TakenTokens | undefined;
    for (const rule of this.#rules) {
      const { policy, buckets } = rule;
      if (!policy.matches(request)) continue;
      taken ??= new TakenTokens();
      if (!taken.take(rule, buckets.of(requestKey(policy.keys, request, source), now))) break;
    }
    return taken;
  }

  read(): readonly RateLimitReading[] {
    return this.#rules.map((rule) => rule.read());
  }
}

function sameBuckets(a: RateLimitPolicy, b: RateLimitPolicy): boolean {
  return (
    a.requests === b.requests &&
    a.perMs === b.perMs &&
    a.burst === b.burst &&
    a.keys.length === b.keys.length &&
    a.keys.every((key, index) => keyText(key) === keyText(b.keys[index]!)) // of one length
  );
}
