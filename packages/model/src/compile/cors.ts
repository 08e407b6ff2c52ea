/** corsPolicy. policy-semantics §1.10. */

import { parseDurationMs } from "../kind/duration.js";
import type { CorsPolicySpec } from "../kind/virtual-service.js";
import type { CorsPolicy } from "../snapshot/route.js";
import { compileStringMatch } from "./string-matcher.js";

export function compileCors(spec: CorsPolicySpec | undefined): CorsPolicy | undefined {
  if (spec === undefined) return undefined;
  const origins = spec.allowOrigins ?? (spec.allowOrigin ?? []).map((exact) => ({ exact }));
  const tests = origins.map(compileStringMatch);
  const allows = (origin: string): boolean => tests.some((test) => test === undefined || test(origin));
  // Envoy asks first whether the origin `*` is allowed: whatever matches it, a prefix or a pattern too, allows every origin.
  const allowsAll = allows("*");
  return {
    allowsOrigin: (origin) => origin !== "" && (allowsAll || allows(origin)),
    allowMethods: (spec.allowMethods ?? []).join(","),
    allowHeaders: (spec.allowHeaders ?? []).join(","),
    exposeHeaders: (spec.exposeHeaders ?? []).join(","),
    maxAge: spec.maxAge === undefined ? "" : String(Math.floor((parseDurationMs(spec.maxAge) ?? 0) / 1_000)),
    allowCredentials: spec.allowCredentials ?? false,
    repeatsWhatIsAsked: true,
    forwardsUnmatchedPreflights: spec.unmatchedPreflights !== "IGNORE",
    field: "corsPolicy",
  };
}
