/**
 * Tokens that were verified before, by their hash: the token itself is not kept beside it. Bounded; the oldest goes first,
 * and costs one more signature when it comes again.
 */

import { hash } from "node:crypto";
import type { ParsedToken, ReadToken } from "./parse-token.js";
import type { RuleVerifier, VerifiedToken } from "./rule-verifier.js";

export interface KnownToken {
  readonly parsed: ReadToken;
  readonly verified: Map<RuleVerifier, VerifiedToken>;
}

const MOST = 4_096;

export class VerifiedTokens {
  readonly #known = new Map<string, KnownToken>();

  get size(): number {
    return this.#known.size;
  }

  get(key: string): KnownToken | undefined {
    return this.#known.get(key);
  }

  add(key: string, { text: _, ...parsed }: ParsedToken, rule: RuleVerifier, verified: VerifiedToken): void {
    const known = this.#known.get(key);
    if (known !== undefined) {
      known.verified.set(rule, verified);
      return;
    }
    const [oldest] = this.#known.size < MOST ? [] : this.#known.keys();
    if (oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(key, { parsed, verified: new Map([[rule, verified]]) });
  }

  clear(): void {
    this.#known.clear();
  }
}

export function tokenKey(text: string): string {
  return hash("sha256", text, "base64");
}
