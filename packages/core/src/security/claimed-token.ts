/** What the rules about tokens make of claims that are told without their token: signature and times are taken for good. */

import type { Claims, JwtRule } from "@inmesh/model";

export type ClaimedToken =
  | { readonly claims: Claims | undefined; readonly refusal?: undefined }
  | { readonly refusal: string; readonly status: 401 | 403 };

/** @param claims undefined: there is no token */
export function claimedToken(rules: readonly JwtRule[], claims: Claims | undefined): ClaimedToken {
  const required = rules.find((rule) => rule.required);
  if (claims === undefined) {
    return required === undefined
      ? { claims }
      : { status: 401, refusal: `a token of issuer ${JSON.stringify(required.issuer)} is required, and there is none` };
  }
  if (rules.length === 0) return { claims };
  const issuer = claims["iss"] ?? "";
  const known = rules.filter((rule) => rule.issuer === "" || rule.issuer === issuer);
  if (known.length === 0) {
    const refusal = `no RequestAuthentication accepts tokens of issuer ${JSON.stringify(issuer)}`;
    return { status: 401, refusal };
  }
  const taken = known.find((rule) => meant(rule, claims));
  if (taken === undefined) {
    return {
      status: 403,
      refusal: `no RequestAuthentication accepts tokens for ${JSON.stringify(claims["aud"] ?? "")}`,
    };
  }
  if (required !== undefined && !known.includes(required)) {
    return { status: 401, refusal: `a token of issuer ${JSON.stringify(required.issuer)} is required besides` };
  }
  const split = taken.spaceDelimited.flatMap((name) => {
    const value = claims[name];
    return typeof value === "string" ? [[name, value.split(" ").filter((each) => each !== "")] as const] : [];
  });
  return { claims: { ...claims, ...Object.fromEntries(split) } };
}

function meant({ audiences }: JwtRule, { aud }: Claims): boolean {
  if (audiences.length === 0) return true;
  const named = new Set(audiences.map(bare));
  return [aud].flat().some((each) => typeof each === "string" && named.has(bare(each)));
}

/** As Envoy compares audiences. */
function bare(audience: string): string {
  return audience.replace(/^https?:\/\//, "").replace(/\/$/, "");
}
