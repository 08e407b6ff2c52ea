/** Verification of tokens, loaded when policy first asks for it: most processes never need it. */

import type { Clock, TokenKeysReading, TokenRequest, TokenVerdict, TokenVerifier } from "@inmesh/core";
import { systemRandom } from "@inmesh/core";
import { PLAIN_FUNCTIONS } from "@inmesh/http/internal";
import type { JwtRule } from "@inmesh/model";

export interface LazyTokensOptions {
  readonly clock: Clock;
  /** See the setting `jwksAllow`. */
  readonly allowed: readonly string[];
  readonly onNotice: (message: string) => void;
}

export class LazyTokens implements TokenVerifier {
  readonly #options: LazyTokensOptions;
  #rules: readonly JwtRule[] = [];
  #verifier: TokenVerifier | undefined;
  #loading: Promise<TokenVerifier> | undefined;
  #closed = false;

  constructor(options: LazyTokensOptions) {
    this.#options = options;
  }

  authenticate(rules: readonly JwtRule[], request: TokenRequest): TokenVerdict | Promise<TokenVerdict> {
    if (this.#verifier !== undefined) return this.#verifier.authenticate(rules, request);
    return this.#load().then((verifier) => verifier.authenticate(rules, request));
  }

  prepare(rules: readonly JwtRule[]): void {
    this.#rules = rules;
    if (this.#verifier !== undefined) this.#verifier.prepare(rules);
    else if (rules.length > 0) this.#load().catch(() => {}); // requests say what is wrong
  }

  read(): readonly TokenKeysReading[] {
    return this.#verifier?.read() ?? [];
  }

  close(): void {
    this.#closed = true;
    this.#verifier?.close();
  }

  #load(): Promise<TokenVerifier> {
    this.#loading ??= this.#make();
    return this.#loading;
  }

  async #make(): Promise<TokenVerifier> {
    const { clock, allowed, onNotice } = this.#options;
    const { createTokenVerifier } = await import("@inmesh/identity/jwt");
    // Keys are the registry's kind of business: nobody's mesh is between us and the issuer.
    const functions = PLAIN_FUNCTIONS;
    const verifier = createTokenVerifier({ clock, random: systemRandom, allowed, functions, onNotice });
    this.#verifier = verifier;
    if (this.#closed) verifier.close();
    else verifier.prepare(this.#rules);
    return verifier;
  }
}
