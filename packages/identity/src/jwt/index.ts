/** Tokens of users: `TokenVerifier` of core, by `jose`. */

export type { TokenVerifier } from "@inmesh/core";
