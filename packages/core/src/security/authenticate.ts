/** Port of token verification: `@inmesh/identity` implements it with `jose`. policy-semantics §4.3. */

import type { Claims, JwtRule } from "@inmesh/model";

/** Where tokens are looked for. */
export interface TokenRequest {
  /** Path with query as it came. */
  readonly path: string;
  header(name: string): string | readonly string[] | undefined;
}

/** What becomes of the request because of its token. */
export interface ValidToken {
  readonly kind: "valid";
  readonly rule: JwtRule;
  readonly claims: Claims;
  /** Taken out before the application sees the request, and every one of the name; often one, none where tokens are forwarded. */
  readonly remove: readonly TokenPlace[];
  /** For the application, lower-case flat `[name, value, …]`. The same names from the wire are removed, token or not. */
  readonly headers: readonly string[];
}

export interface TokenPlace {
  readonly kind: "header" | "param" | "cookie";
  readonly name: string;
}

export interface InvalidToken {
  readonly kind: "invalid";
  /** 403 for the audience of somebody else, 401 for all else, as Envoy. */
  readonly status: 401 | 403;
  /** For the caller, as Envoy words it. */
  readonly message: string;
  /** For the operator. Like `message`, it holds nothing of the token. */
  readonly reason: string;
}

/** No token at any known place: the request goes on without a principal. */
export interface NoToken {
  readonly kind: "none";
}

export type TokenVerdict = NoToken | ValidToken | InvalidToken;

/** Where the keys of an issuer stand. */
export interface TokenKeysReading {
  readonly issuer: string;
  /** `inline`, or the address without user, password and query. */
  readonly source: string;
  readonly keys: number;
  /** Since they were fetched; null: not yet. */
  readonly ageMs: number | null;
  /** Why they are missing, or not renewed; absent when all is well. */
  readonly reason?: string;
}

export interface TokenVerifier {
  /** At once where the token was verified before, and where there is none. */
  authenticate(rules: readonly JwtRule[], request: TokenRequest): TokenVerdict | Promise<TokenVerdict>;
  /** These rules are in force now: their keys are fetched before somebody waits for them, those of others forgotten. */
  prepare(rules: readonly JwtRule[]): void;
  read(): readonly TokenKeysReading[];
  close(): void;
}
