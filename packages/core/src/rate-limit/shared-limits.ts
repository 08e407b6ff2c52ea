/**
 * Limits that all processes of a service share: a rate limit service is asked, and what it says holds. What one document asks
 * of one request goes in one message. A service that cannot be asked refuses nobody, unless policy says otherwise.
 */

import { type MatchRequest, resourceKey, type SharedLimitPolicy, type SharedLimitService } from "@inmesh/model";
import { type Rejection, rateLimitUnavailable, sharedLimitReached } from "../admission/rejection.js";
import { messageOf } from "../errors.js";
import type { Clock } from "../runtime/clock.js";
import { limitItem, policyItem, quotedName, withLimitItems } from "./rate-limit-headers.js";
import {
  descriptorOf,
  type RateLimitRequest,
  type RateLimitResponse,
  type RateLimitService,
  type RateLimitStatus,
} from "./rate-limit-service.js";
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

/** What a service wants of a request that passes. */
export interface SharedPass {
  /** Lines put into the request, in lower case, flat. */
  readonly set: readonly string[];
  /** Lines for its answer, flat. */
  readonly answer: readonly string[];
  /** What the rules say in `RateLimit-Policy` and in `RateLimit`. */
  readonly items: readonly (readonly [policy: string, limit: string])[];
}

/** Of a connection, of the body's form, or of the mesh: no service's to set. */
const NEVER_SET = /^(?::|x-inmesh-|host$|content-length$|connection$|transfer-encoding$)/;
const SECOND_MS = 1_000;

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
  ask(request: MatchRequest, source: string): Promise<Rejection | SharedPass | undefined> | undefined {
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
    return Promise.all(asked).then(joinedVerdict);
  }

  read(): readonly SharedLimitReading[] {
    return this.#rules.map((rule) => rule.read());
  }

  async #ask(
    service: SharedLimitService,
    rules: readonly SharedRule[],
    request: MatchRequest,
    source: string,
  ): Promise<Rejection | SharedPass | undefined> {
    let answer: RateLimitResponse;
    try {
      if (this.services === undefined) throw new Error("this process has nobody to ask it");
      answer = await this.services(service).shouldRateLimit(requestFor(service, rules, request, source));
    } catch (error) {
      return this.#unanswered(service, rules, messageOf(error));
    }
    const items = rules.flatMap((rule, index) => itemsOf(rule, answer.statuses[index]));
    const told = linesOf(answer.responseHeadersToAdd);
    if (answer.overallCode === "OK") {
      for (const rule of rules) rule.passed += 1;
      const set = linesOf(answer.requestHeadersToAdd, request);
      return items.length + set.length + told.length === 0 ? undefined : { set, answer: told, items };
    }
    const over = rules.filter((_, index) => answer.statuses[index]?.code === "OVER_LIMIT");
    for (const rule of rules) if (!over.includes(rule)) rule.passed += 1;
    for (const rule of over) rule.refused += 1;
    const waits = answer.statuses.map(({ code, durationUntilResetMs = 0 }) =>
      code === "OVER_LIMIT" ? durationUntilResetMs : 0,
    );
    const more = [...(withLimitItems(undefined, items) ?? []), ...told];
    const name = over[0]?.policy.name ?? service.domain;
    return sharedLimitReached(name, addressOf(service), Math.max(0, ...waits), more, answer.rawBody);
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

/** One that refuses decides; else what all of them want. */
function joinedVerdict(answers: readonly (Rejection | SharedPass | undefined)[]): Rejection | SharedPass | undefined {
  const passes: SharedPass[] = [];
  for (const answer of answers) {
    if (answer === undefined) continue;
    if ("status" in answer) return answer;
    passes.push(answer);
  }
  if (passes.length < 2) return passes[0];
  return {
    set: passes.flatMap(({ set }) => set),
    answer: passes.flatMap(({ answer }) => answer),
    items: passes.flatMap(({ items }) => items),
  };
}

/** One cost of all goes with the request, which every service knows; several, and nothing, with their descriptors: 0 means 1 there. */
function requestFor(
  { domain }: SharedLimitService,
  rules: readonly SharedRule[],
  request: MatchRequest,
  source: string,
): RateLimitRequest {
  const hits = rules[0]?.policy.hits ?? 1;
  const isOne = hits > 0 && rules.every(({ policy }) => policy.hits === hits);
  const descriptors = rules.map(({ policy }) => {
    const descriptor = descriptorOf(policy.rule, policy.keys, request, source);
    return isOne ? descriptor : { ...descriptor, hitsAddend: policy.hits };
  });
  return { domain, descriptors, ...(isOne && hits !== 1 && { hitsAddend: hits }) };
}

/** Where the service says which limit it found. */
function itemsOf(
  { policy }: SharedRule,
  status: RateLimitStatus | undefined,
): readonly (readonly [policy: string, limit: string])[] {
  if (status?.currentLimit === undefined) return [];
  const name = quotedName(policy.name);
  const { currentLimit, limitRemaining = 0, durationUntilResetMs = currentLimit.perMs } = status;
  const resetMs = Math.ceil(durationUntilResetMs / SECOND_MS) * SECOND_MS;
  return [[policyItem(name, currentLimit), limitItem(name, limitRemaining, resetMs)]];
}

/** @param request what its lines are added to; undefined: to nothing that is known here */
function linesOf(flat: readonly string[] = [], request?: MatchRequest): readonly string[] {
  const values = new Map<string, string>();
  for (let index = 0; index < flat.length; index += 2) {
    const name = flat[index]!.toLowerCase(); // flat pairs
    if (name === "" || NEVER_SET.test(name)) continue;
    const there = request?.header(name);
    const before = values.get(name) ?? (typeof there === "object" ? there.join(",") : there);
    values.set(name, before === undefined ? flat[index + 1]! : `${before},${flat[index + 1]}`);
  }
  return [...values].flat();
}

function addressOf({ host, port }: SharedLimitService): string {
  return `${host}:${port}`;
}
