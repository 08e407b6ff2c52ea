/**
 * RequestAuthentication: all rules that mean the workload, asked about the tokens of one request.
 *
 * As Istio composes it for Envoy: the request passes when all the tokens at the places of one rule are good for that rule
 * (the first such rule gives the claims), or when every token at any place is good for a rule of its issuer. Without any
 * token it passes as nobody. A token that was verified before is answered for at once.
 */

import type {
  Clock,
  InvalidToken,
  NoToken,
  Random,
  TokenKeysReading,
  TokenPlace,
  TokenRequest,
  TokenVerdict,
  TokenVerifier,
  ValidToken,
} from "@inmesh/core";
import type { JwtRule } from "@inmesh/model";
import { AddressGuard } from "./address-guard.js";
import { checkTimes, isOfIssuer } from "./check-claims.js";
import type { FetchOptions, RequestFunctions } from "./fetch-text.js";
import { type FoundToken, TokenFinder } from "./find-tokens.js";
import { InlineKeys, type KeySource, RemoteKeys } from "./key-source.js";
import { loadKeys, shownSource } from "./load-keys.js";
import { type ParsedToken, parseToken, type ReadToken } from "./parse-token.js";
import { refusal, WORDS } from "./refusal.js";
import { RuleVerifier, type VerifiedToken } from "./rule-verifier.js";
import { type KnownToken, tokenKey, VerifiedTokens } from "./verified-tokens.js";

export interface TokenVerifierOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Addresses and blocks that keys may be fetched from though they are this machine's or this link's. @default none */
  readonly allowed?: readonly string[] | undefined;
  /** @default those of node:http and node:https */
  readonly functions?: RequestFunctions | undefined;
  /** @default the system's resolver */
  readonly lookup?: FetchOptions["lookup"];
  /** Told of keys that cannot be fetched. @default nobody */
  readonly onNotice?: ((message: string) => void) | undefined;
}

/** One token of a request. */
interface AskedToken {
  readonly text: string;
  readonly key: string;
  /** Undefined: it was never verified. */
  readonly known: KnownToken | undefined;
  readonly parsed: ReadToken | InvalidToken;
  readonly places: TokenPlace[];
  /** What was found out for this request. */
  readonly outcomes: Map<RuleVerifier, VerifiedToken | InvalidToken>;
}

/** The tokens at the places of one rule. */
interface Asked {
  readonly rule: RuleVerifier;
  readonly tokens: readonly AskedToken[];
}

/** Before more can be said. */
interface Unverified {
  readonly kind: "unverified";
  readonly rule: RuleVerifier;
  readonly token: AskedToken;
}

const NONE: NoToken = Object.freeze({ kind: "none" });
const MISSING = refusal(WORDS.missing, "a rule that is required finds no token");

/** @throws {RangeError} for an allowed address that is none */
export function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  return new JwtVerifier(options);
}

class JwtVerifier implements TokenVerifier {
  readonly #options: TokenVerifierOptions;
  readonly #guard: AddressGuard;
  readonly #known = new VerifiedTokens();
  readonly #closing = new AbortController();
  #asked: readonly JwtRule[] | undefined;
  #rules: readonly RuleVerifier[] = [];
  #sources: ReadonlyMap<string, KeySource> = new Map();
  #finders: readonly TokenFinder[] = [];
  #anyRequired = false;

  constructor(options: TokenVerifierOptions) {
    this.#options = options;
    this.#guard = new AddressGuard(options.allowed);
  }

  prepare(rules: readonly JwtRule[]): void {
    if (rules === this.#asked) return;
    const sources = new Map<string, KeySource>();
    const finders = new Map<string, TokenFinder>();
    this.#rules = rules.map((rule) => {
      const key = JSON.stringify([rule.jwks, rule.jwksUri, rule.jwksUri === "" ? rule.issuer : "", rule.timeoutMs]);
      const source = sources.get(key) ?? this.#sources.get(key) ?? this.#open(rule);
      sources.set(key, source);
      const places = JSON.stringify(rule.places);
      const finder = finders.get(places) ?? new TokenFinder(rule.places);
      finders.set(places, finder);
      return new RuleVerifier(rule, source, finder);
    });
    this.#asked = rules;
    this.#sources = sources;
    this.#finders = [...finders.values()];
    this.#anyRequired = rules.some(({ required }) => required);
    this.#known.clear(); // what a token is good for may have changed
    for (const source of sources.values()) void source.ready();
  }

  authenticate(rules: readonly JwtRule[], request: TokenRequest): TokenVerdict | Promise<TokenVerdict> {
    this.prepare(rules);
    const found = this.#finders.map((finder) => finder.find(request));
    const [first] = found.find(({ length }) => length > 0) ?? [];
    if (first === undefined) return this.#anyRequired ? MISSING : NONE;
    const isAlone = !this.#anyRequired && found.reduce((sum, { length }) => sum + length, 0) === 1;
    const finder = this.#finders[found.findIndex((each) => each.length > 0)];
    const known = isAlone ? this.#again(first, finder) : undefined;
    if (known !== undefined) return known;
    const asked = this.#ask(found);
    const verdict = this.#decide(asked);
    return verdict.kind === "unverified" ? this.#verify(asked, verdict) : verdict;
  }

  read(): readonly TokenKeysReading[] {
    return this.#rules.map(({ rule, source }) => ({ issuer: rule.issuer, ...source.read() }));
  }

  close(): void {
    this.#closing.abort();
    this.#known.clear();
  }

  #open(rule: JwtRule): KeySource {
    if (rule.jwks !== "") return new InlineKeys(rule.jwks);
    const { clock, random, functions, lookup, onNotice = () => {} } = this.#options;
    const { timeoutMs } = rule;
    const fetching = { clock, guard: this.#guard, timeoutMs, signal: this.#closing.signal, functions, lookup };
    return new RemoteKeys({ clock, random, onNotice, source: shownSource(rule), load: () => loadKeys(rule, fetching) });
  }

  /** The only token of a request, and one that was good before: nearly all requests. */
  #again({ text, place }: FoundToken, finder: TokenFinder | undefined): ValidToken | undefined {
    const known = this.#known.get(tokenKey(text));
    if (known === undefined) return undefined;
    const { parsed, verified } = known;
    for (const rule of this.#rules) {
      if (rule.finder !== finder) continue; // not at its place
      const before = verified.get(rule);
      if (before === undefined) {
        if (isOfIssuer(parsed, rule.rule)) return undefined; // perhaps good for this rule, which comes first
        continue;
      }
      if (before.keys !== rule.source.current) return undefined;
      if (checkTimes(parsed, this.#options.clock.wallTime() / 1000) !== undefined) return undefined;
      if (before.alone?.place !== place) {
        const verdict = valid(rule.rule, before, rule.rule.forwardsToken ? [] : [place]);
        before.alone = { place, verdict };
      }
      return before.alone.verdict;
    }
    return undefined;
  }

  #ask(found: readonly (readonly FoundToken[])[]): readonly Asked[] {
    const all = new Map<string, AskedToken>();
    return this.#rules.flatMap((rule) => {
      const here = found[this.#finders.indexOf(rule.finder)] ?? [];
      return here.length === 0 ? [] : [{ rule, tokens: [...new Set(here.map((each) => this.#one(each, all)))] }];
    });
  }

  #one({ text, place }: FoundToken, all: Map<string, AskedToken>): AskedToken {
    const same = all.get(text);
    if (same !== undefined) {
      if (!same.places.some(({ kind, name }) => kind === place.kind && name === place.name)) same.places.push(place);
      return same;
    }
    const key = tokenKey(text);
    const known = this.#known.get(key);
    const parsed = known?.parsed ?? parseToken(text);
    const asked: AskedToken = { text, key, known, parsed, places: [place], outcomes: new Map() };
    all.set(text, asked);
    return asked;
  }

  #decide(asked: readonly Asked[]): TokenVerdict | Unverified {
    const nowS = this.#options.clock.wallTime() / 1000;
    const required = this.#rules.filter(({ rule }) => rule.required);
    let passed: ValidToken | undefined;
    for (const rule of required) {
      const own = asked.find((each) => each.rule === rule);
      const verdict = own === undefined ? MISSING : ofRule(own, nowS);
      if (verdict.kind !== "valid") return verdict;
      passed ??= verdict;
    }
    if (passed !== undefined) return passed;
    let failure: InvalidToken | undefined;
    for (const each of asked) {
      const verdict = ofRule(each, nowS);
      if (verdict.kind !== "invalid") return verdict;
      // What is wrong with a token of an issuer that is known says more.
      if (failure === undefined || verdict.message !== WORDS.issuer) failure = verdict;
    }
    return (asked.length > 1 ? this.#each(asked, nowS) : undefined) ?? failure ?? NONE;
  }

  /** Every token by a rule of its own. @returns undefined where one is good for none */
  #each(asked: readonly Asked[], nowS: number): TokenVerdict | Unverified | undefined {
    let first: readonly [JwtRule, VerifiedToken] | undefined;
    const removed: TokenPlace[] = [];
    for (const token of new Set(asked.flatMap(({ tokens }) => tokens))) {
      const rules = asked.filter(({ tokens }) => tokens.includes(token)).map(({ rule }) => rule);
      const good = rules.find((rule) => outcomeOf(rule, token, nowS)?.kind === "verified");
      if (good === undefined) {
        const rule = rules.find((each) => outcomeOf(each, token, nowS) === undefined);
        return rule && { kind: "unverified", rule, token };
      }
      first ??= [good.rule, outcomeOf(good, token, nowS) as VerifiedToken];
      if (!good.rule.forwardsToken) removed.push(...token.places);
    }
    return first && valid(...first, removed);
  }

  async #verify(asked: readonly Asked[], unverified: Unverified): Promise<TokenVerdict> {
    for (let next = unverified; ; ) {
      next.token.outcomes.set(next.rule, await this.#verifyOnce(next.rule, next.token));
      const verdict = this.#decide(asked);
      if (verdict.kind !== "unverified") return verdict;
      next = verdict;
    }
  }

  async #verifyOnce(rule: RuleVerifier, { text, key, parsed }: AskedToken): Promise<VerifiedToken | InvalidToken> {
    const token = { ...(parsed as ParsedToken), text }; // what cannot be parsed is never unverified
    const outcome = await rule.verify(token, key);
    if (outcome.kind === "verified" && this.#rules.includes(rule)) this.#known.add(key, token, rule, outcome);
    return outcome;
  }
}

/** All the tokens at the places of one rule. */
function ofRule({ rule, tokens }: Asked, nowS: number): ValidToken | InvalidToken | Unverified {
  let first: VerifiedToken | undefined;
  const remove: TokenPlace[] = [];
  for (const token of tokens) {
    const outcome = outcomeOf(rule, token, nowS);
    if (outcome === undefined) return { kind: "unverified", rule, token };
    if (outcome.kind === "invalid") return outcome;
    first ??= outcome;
    if (!rule.rule.forwardsToken) remove.push(...token.places);
  }
  return first === undefined ? MISSING : valid(rule.rule, first, remove);
}

/** @returns undefined: its signature has to be looked at */
function outcomeOf(rule: RuleVerifier, token: AskedToken, nowS: number): VerifiedToken | InvalidToken | undefined {
  const found = token.outcomes.get(rule);
  if (found?.kind === "invalid") return found;
  if ("kind" in token.parsed) return token.parsed;
  const refused = rule.refuses(token.parsed, nowS);
  if (refused !== undefined) return refused;
  if (found !== undefined) return found;
  const verified = token.known?.verified.get(rule);
  return verified !== undefined && verified.keys === rule.source.current ? verified : undefined;
}

function valid(rule: JwtRule, { claims, headers }: VerifiedToken, remove: readonly TokenPlace[]): ValidToken {
  return { kind: "valid", rule, claims, headers, remove };
}
