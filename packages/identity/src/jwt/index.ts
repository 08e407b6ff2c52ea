/** Tokens of users: `TokenVerifier` of core, by `jose`. */

export type { RequestFunctions } from "./fetch-text.js";
export { createTokenVerifier, type TokenVerifierOptions } from "./token-verifier.js";
