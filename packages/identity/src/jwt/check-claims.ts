/** What is asked of a token beside its signature: whose it is, since when, until when, and for whom. */

import type { InvalidToken } from "@inmesh/core";
import type { JwtRule } from "@inmesh/model";
import type { ReadToken } from "./parse-token.js";
import { refusal, WORDS } from "./refusal.js";

/** Clocks of issuers differ from ours by less, in seconds. Envoy's figure. */
export const SKEW_S = 60;

/** Of the times alone: they are looked at again with each request. @param nowS wall time */
export function checkTimes({ expiresAt, notBefore }: ReadToken, nowS: number): InvalidToken | undefined {
  if (notBefore !== undefined && nowS + SKEW_S < notBefore) return refusal(WORDS.notYet);
  // Differs: to Envoy, `exp: 0` is a token without an end.
  if (expiresAt !== undefined && nowS > expiresAt + SKEW_S) return refusal(WORDS.expired);
  return undefined;
}

export function isOfIssuer({ issuer }: ReadToken, rule: JwtRule): boolean {
  return rule.issuer === "" || issuer === rule.issuer;
}

export class AudienceCheck {
  readonly #known: ReadonlySet<string>;

  constructor({ audiences }: JwtRule) {
    this.#known = new Set(audiences.map(bare));
  }

  check({ audiences }: ReadToken): InvalidToken | undefined {
    if (this.#known.size === 0 || audiences.some((each) => this.#known.has(bare(each)))) return undefined;
    return refusal(WORDS.audience, "the token is for an audience that no rule names", 403);
  }
}

/** As Envoy compares them: without the scheme in front and the slash at the end. */
function bare(audience: string): string {
  return audience.replace(/^https?:\/\//, "").replace(/\/$/, "");
}
