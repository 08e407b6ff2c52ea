/** One jwtRule, ready for tokens. */

import type { InvalidToken, TokenPlace, ValidToken } from "@inmesh/core";
import type { Claims, JwtRule } from "@inmesh/model";
import { compactVerify } from "jose";
import { AudienceCheck, checkTimes, isOfIssuer } from "./check-claims.js";
import { claimHeaders, claimsOf } from "./claim-headers.js";
import type { TokenFinder } from "./find-tokens.js";
import type { KeySet, PublicKey } from "./key-set.js";
import type { KeySource } from "./key-source.js";
import type { ParsedToken, ReadToken } from "./parse-token.js";
import { refusal, WORDS } from "./refusal.js";

export interface VerifiedToken {
  readonly kind: "verified";
  /** Good as long as these are the issuer's. */
  readonly keys: KeySet;
  readonly claims: Claims;
  readonly headers: readonly string[];
  /** Of requests that bring it alone and at the same place as before. */
  alone?: { readonly place: TokenPlace; readonly verdict: ValidToken };
}

const UNKNOWN_ISSUER = refusal(WORDS.issuer, "the token is of an issuer that no rule names for its place");

export class RuleVerifier {
  readonly rule: JwtRule;
  readonly source: KeySource;
  /** Shared by rules of the same places. */
  readonly finder: TokenFinder;
  readonly #audience: AudienceCheck;
  readonly #pending = new Map<string, Promise<VerifiedToken | InvalidToken>>();

  constructor(rule: JwtRule, source: KeySource, finder: TokenFinder) {
    this.rule = rule;
    this.source = source;
    this.finder = finder;
    this.#audience = new AudienceCheck(rule);
  }

  /** What can be said without a key. */
  refuses(token: ReadToken, nowS: number): InvalidToken | undefined {
    if (!isOfIssuer(token, this.rule)) return UNKNOWN_ISSUER;
    return checkTimes(token, nowS) ?? this.#audience.check(token);
  }

  /**
   * Once for all who ask meanwhile: requests of one client often come together with one new token. Never rejects.
   * @param token that `refuses` had nothing against
   * @param key by which it is the same
   */
  verify(token: ParsedToken, key: string): Promise<VerifiedToken | InvalidToken> {
    let pending = this.#pending.get(key);
    if (pending === undefined) {
      pending = this.#verify(token).finally(() => this.#pending.delete(key));
      this.#pending.set(key, pending);
    }
    return pending;
  }

  async #verify(token: ParsedToken): Promise<VerifiedToken | InvalidToken> {
    let keys = await this.source.ready();
    if (keys === undefined) {
      return refusal(WORDS.noKeys, `the keys of its issuer are missing: ${this.source.read().reason ?? "not fetched"}`);
    }
    let verified = await signedByOneOf(keys, token);
    if (verified !== true && mayBeNewer(keys, token)) {
      const newer = await this.source.afterMiss(keys);
      if (newer !== keys) verified = await signedByOneOf(newer, token);
      keys = newer;
    }
    if (verified !== true) return verified;
    const headers = claimHeaders(this.rule, token);
    if ("kind" in headers) return headers;
    return { kind: "verified", keys, claims: claimsOf(this.rule, token), headers };
  }
}

async function signedByOneOf(keys: KeySet, token: ParsedToken): Promise<true | InvalidToken> {
  const named = keys.named(token.kid);
  if (named.length === 0) return refusal(WORDS.noKey, "the token names a key that its issuer does not have");
  for (const key of named) if (key.fits(token.alg) && (await isSignedBy(key, token))) return true;
  return refusal(WORDS.signature, "the token is not signed by a key of its issuer");
}

/** Keys without a name may have been replaced by others. */
function mayBeNewer(keys: KeySet, { kid }: ParsedToken): boolean {
  const named = keys.named(kid);
  return named.length === 0 || kid === "" || named.some((key) => key.kid === "");
}

async function isSignedBy(key: PublicKey, { text, alg }: ParsedToken): Promise<boolean> {
  try {
    await compactVerify(text, await key.import(alg), { algorithms: [alg] });
    return true;
  } catch {
    return false; // whatever is wrong with the key or the signature: nothing of it may be told
  }
}
