/** Port of external authorization: somebody else says whether a request may pass. policy-semantics §4.7. */

import type { ExternalAuthorizer } from "@inmesh/model";
import type { Rejection } from "../admission/rejection.js";
import type { Arrival, BodyStart } from "./arrival.js";

export interface CheckedRequest {
  readonly arrival: Arrival;
  /** Path with query in the one spelling. */
  readonly target: string;
  readonly authority: string;
}

export interface ExternalPass {
  readonly kind: "pass";
  /** For the application, lower-case names. */
  readonly remove: readonly string[];
  readonly set: readonly string[];
  /** For the caller, flat. */
  readonly answer: readonly string[];
}

export interface ExternalDenial {
  readonly kind: "denial";
  /** Status, headers and body as the authorizer says them. */
  readonly rejection: Rejection;
  /** In words for the operator. */
  readonly reason: string;
}

/** Asks by one protocol. */
export interface AuthorizerTransport {
  /**
   * Rejects, in words, where there is no answer of the authorizer's.
   * @param start undefined: the authorizer does not look at bodies
   */
  ask(
    authorizer: ExternalAuthorizer,
    request: CheckedRequest,
    start: BodyStart | undefined,
  ): Promise<ExternalPass | ExternalDenial>;
}

export interface ExternalCheck {
  /** @returns never rejects: what cannot be asked is passed or denied as the authorizer's definition says */
  check(authorizer: ExternalAuthorizer, request: CheckedRequest): Promise<ExternalPass | ExternalDenial>;
}
