/** corsPolicy. policy-semantics §1.10. */

import { parseDurationMs } from "../kind/duration.js";
import type { CorsPolicySpec } from "../kind/virtual-service.js";
import type { CorsPolicy } from "../snapshot/route.js";
import { compileStringMatch } from "./string-matcher.js";

export function compileCors(spec: CorsPolicySpec | undefined): CorsPolicy | undefined {
  if (spec === undefined) return undefined;
  const origins = spec.allowOrigins ?? (spec.allowOrigin ?? []).map((exact) => (exact === "*" ? {} : { exact }));
  const tests = origins.map(compileStringMatch);
  return {
    allowsOrigin: (origin) => tests.some((test) => test === undefined || test(origin)),
    allowMethods: (spec.allowMethods ?? []).join(","),
    allowHeaders: (spec.allowHeaders ?? []).join(","),
    exposeHeaders: (spec.exposeHeaders ?? []).join(","),
    maxAge: spec.maxAge === undefined ? "" : String(Math.floor((parseDurationMs(spec.maxAge) ?? 0) / 1_000)),
    allowCredentials: spec.allowCredentials ?? false,
    forwardsUnmatchedPreflights: spec.unmatchedPreflights !== "IGNORE",
    field: "corsPolicy",
  };
}
