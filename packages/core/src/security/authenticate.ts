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
  /** Taken out before the application sees the request; undefined: it stays. */
  readonly remove?: TokenPlace | undefined;
  /** For the application, lower-case flat `[name, value, …]`. The same names from the wire are removed, token or not. */
  readonly headers: readonly string[];
}

export interface TokenPlace {
  readonly kind: "header" | "param" | "cookie";
  readonly name: string;
}

export type TokenVerdict =
  /** No token at any known place: it goes on without a principal. */
  | { readonly kind: "none" }
  | ValidToken
  /** 401. `message` is for the caller, as Envoy words it; `reason` for the operator. Neither holds any of the token. */
  | { readonly kind: "invalid"; readonly message: string; readonly reason: string };

export interface TokenVerifier {
  /** At once where the token was verified before. */
  authenticate(rules: readonly JwtRule[], request: TokenRequest): TokenVerdict | Promise<TokenVerdict>;
  close(): void;
}
