/** RequestAuthentication (security.istio.io): whose tokens are taken, and where they stand in a request. policy-semantics §4.3. */

import * as z from "zod/mini";
import { atMostOne, duration, flag, matchLabelsSelector, message, stringList, text } from "./field.js";
import { policyTarget } from "./policy-target.js";

const jwtRule = message({
  issuer: text,
  audiences: stringList,
  jwksUri: text,
  /** The name that Istio's CRD takes beside the other. */
  jwks_uri: text,
  jwks: text,
  fromHeaders: z.array(message({ name: text, prefix: text })),
  fromParams: stringList,
  fromCookies: stringList,
  outputPayloadToHeader: text,
  forwardOriginalToken: flag,
  outputClaimToHeaders: z.array(message({ header: text, claim: text })),
  timeout: duration,
  spaceDelimitedClaims: stringList,
  /** `REQUIRED`: a request without this rule's token is refused. Istio has it since August 2026. */
  presence: z.enum(["OPTIONAL", "REQUIRED"]),
}).check(atMostOne("jwksUri", "jwks_uri"));

export const requestAuthentication = message({
  selector: matchLabelsSelector,
  targetRef: policyTarget,
  targetRefs: z.array(policyTarget),
  jwtRules: z.array(jwtRule),
});

export type RequestAuthenticationSpec = z.infer<typeof requestAuthentication>;
export type JwtRuleSpec = z.infer<typeof jwtRule>;
