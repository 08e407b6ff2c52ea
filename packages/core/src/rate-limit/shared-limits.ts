/**
 * Limits that all processes of a service share: a rate limit service is asked, and what it says holds. What one document asks
 * of one request goes in one message. A service that cannot be asked refuses nobody, unless policy says otherwise.
 */

import { type MatchRequest, resourceKey, type SharedLimitPolicy, type SharedLimitService } from "@inmesh/model";
import { type Rejection, rateLimitUnavailable, sharedLimitReached } from "../admission/rejection.js";
import { messageOf } from "../errors.js";
import type { Clock } from "../runtime/clock.js";
import { descriptorOf, type RateLimitResponse, type RateLimitService } from "./rate-limit-service.js";
import { keyText } from "./request-key.js";

/** Whoever asks a service of this address. Called for each request: it keeps what it makes. */
export type RateLimitServices = (service: SharedLimitService) => RateLimitService;

export interface SharedLimitReading {
  /** `ns/name/rule`. */
  readonly name: string;
  readonly resource: string;
  readonly path: string;
  readonly by: readonly string[];
  /** `host:port`, and what its limits are filed under. */
  readonly service: string;
  readonly domain: string;
  readonly passed: number;
  readonly refused: number;
  /** Requests of which the service said nothing. */
  readonly failed: number;
}

class SharedRule {
  policy: SharedLimitPolicy;
  passed = 0;
  refused = 0;
  failed = 0;

  constructor(policy: SharedLimitPolicy) {
    this.policy = policy;
  }

  read(): SharedLimitReading {
    const { name, resource, keys, service } = this.policy;
    return {
      ...{ name, resource: resourceKey(resource.resource), path: resource.path, by: keys.map(keyText) },
      ...{ service: addressOf(service), domain: service.domain },
      ...{ passed: this.passed, refused: this.refused, failed: this.failed },
    };
  }
}

/** Between two words about a service that does not answer, in ms. */
const SILENCE_MS = 60_000;

export class SharedLimits {
  /** Undefined: there is nobody who could ask. */
  services: RateLimitServices | undefined = undefined;
  readonly #clock: Clock;
  readonly #say: (message: string) => void;
  #rules: readonly SharedRule[] = [];
  #saidAt = Number.NEGATIVE_INFINITY;

  /** @param say told when a service does not answer, and what that means for requests */
  constructor(clock: Clock, say: (message: string) => void) {
    this.#clock = clock;
    this.#say = say;
  }

  update(policies: readonly SharedLimitPolicy[]): void {
    const known = new Map(this.#rules.map((rule) => [rule.policy.name, rule]));
    this.#rules = policies.map((policy) => {
      const rule = known.get(policy.name) ?? new SharedRule(policy);
      rule.policy = policy;
      return rule;
    });
  }

  get any(): boolean {
    return this.#rules.length > 0;
  }

  /** @returns undefined when no rule concerns the request; else why it does not pass. Never rejects */
  ask(request: MatchRequest, source: string): Promise<Rejection | undefined> | undefined {
    let concerned: Map<SharedLimitService, SharedRule[]> | undefined;
    for (const rule of this.#rules) {
      if (!rule.policy.matches(request)) continue;
      concerned ??= new Map();
      const { service } = rule.policy;
      const others = concerned.get(service);
      if (others === undefined) concerned.set(service, [rule]);
      else others.push(rule);
    }
    if (concerned === undefined) return undefined;
    const asked = [...concerned].map(([service, rules]) => this.#ask(service, rules, request, source));
    return Promise.all(asked).then((answers) => answers.find((answer) => answer !== undefined));
  }

  read(): readonly SharedLimitReading[] {
    return this.#rules.map((rule) => rule.read());
  }

  async #ask(
    service: SharedLimitService,
    rules: readonly SharedRule[],
    request: MatchRequest,
    source: string,
  ): Promise<Rejection | undefined> {
    const descriptors = rules.map(({ policy }) => descriptorOf(policy.rule, policy.keys, request, source));
    let answer: RateLimitResponse;
    try {
      if (this.services === undefined) throw new Error("this process has nobody to ask it");
      answer = await this.services(service).shouldRateLimit({ domain: service.domain, descriptors });
    } catch (error) {
      return this.#unanswered(service, rules, messageOf(error));
    }
    if (answer.overallCode === "OK") {
      for (const rule of rules) rule.passed += 1;
      return undefined;
    }
    const over = rules.filter((_, index) => answer.statuses[index]?.code === "OVER_LIMIT");
    for (const rule of rules) if (!over.includes(rule)) rule.passed += 1;
    for (const rule of over) rule.refused += 1;
    const waits = answer.statuses.map(({ code, durationUntilResetMs = 0 }) =>
      code === "OVER_LIMIT" ? durationUntilResetMs : 0,
    );
    return sharedLimitReached(over[0]?.policy.name ?? service.domain, addressOf(service), Math.max(0, ...waits));
  }

  #unanswered(service: SharedLimitService, rules: readonly SharedRule[], why: string): Rejection | undefined {
    for (const rule of rules) rule.failed += 1;
    const { failureModeDeny } = service;
    const now = this.#clock.now();
    if (now - this.#saidAt >= SILENCE_MS) {
      this.#saidAt = now;
      const meanwhile = failureModeDeny
        ? "are turned away, as failureModeDeny says"
        : "pass, unless failureModeDeny is set";
      this.#say(
        `the rate limit service ${addressOf(service)} cannot be asked: ${why}. Requests that it was to judge ${meanwhile}`,
      );
    }
    return failureModeDeny ? rateLimitUnavailable(addressOf(service)) : undefined;
  }
}

function addressOf({ host, port }: SharedLimitService): string {
  return `${host}:${port}`;
}
