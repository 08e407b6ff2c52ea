/** Patches of EnvoyFilters whose effect depends on their order, or that Istio ignores. policy-semantics §6.8. */

import type { EnvoyFilterSpec } from "../kind/envoy-filter.js";
import type { Document } from "../resource.js";
import type { Finding } from "./finding.js";

const RELATIVE = "IST0151";
const REPLACE_IGNORED = "IST0152";
const ADD_IGNORED = "IST0153";
const REMOVE_IGNORED = "IST0154";
/** As IST0151, where an earlier patch of that name is for one proxy version only. */
const RELATIVE_TO_VERSION = "IST0155";

type Patch = NonNullable<EnvoyFilterSpec["configPatches"]>[number];

/** In order: an earlier filter decides what is said of a later one. */
export function checkPatches(
  filters: readonly { readonly document: Document; readonly spec: EnvoyFilterSpec }[],
  report: Finding,
): void {
  /** Names of what was patched for one proxy version. */
  const versioned = new Set<string>();
  for (const { document, spec } of filters) {
    for (const [index, part] of (spec.configPatches ?? []).entries()) {
      if (part.patch === undefined) break;
      const name = patchedName(part);
      const code = codeOf(part, spec.priority ?? 0, versioned.has(name));
      if (code !== undefined) {
        const severity = code === RELATIVE || code === RELATIVE_TO_VERSION ? "warning" : "error";
        report(document, ["spec", "configPatches", index], code, severity, MESSAGES[code]);
      }
      if (part.match?.proxy?.proxyVersion) versioned.add(name);
    }
  }
}

const MESSAGES = {
  [RELATIVE]: "the patch is placed relative to others, and no priority says in which order they apply. Set priority.",
  [RELATIVE_TO_VERSION]:
    "the patch is placed relative to one that applies to some proxy versions only, and there is no priority. Set priority.",
  [REPLACE_IGNORED]: "REPLACE only works on HTTP_FILTER and NETWORK_FILTER. Use MERGE, or another applyTo.",
  [ADD_IGNORED]: "ADD does nothing on ROUTE_CONFIGURATION and HTTP_ROUTE. Use another operation or applyTo.",
  [REMOVE_IGNORED]: "REMOVE does nothing on ROUTE_CONFIGURATION and HTTP_ROUTE. Use another operation or applyTo.",
} as const;

function codeOf({ applyTo, patch }: Patch, priority: number, behindVersioned: boolean) {
  const relative = priority !== 0 ? undefined : behindVersioned ? RELATIVE_TO_VERSION : RELATIVE;
  const onRoutes = applyTo === "ROUTE_CONFIGURATION" || applyTo === "HTTP_ROUTE";
  switch (patch?.operation) {
    case "ADD":
      return onRoutes ? ADD_IGNORED : undefined;
    case "REMOVE":
      return onRoutes ? REMOVE_IGNORED : relative;
    case "REPLACE":
      return applyTo === "NETWORK_FILTER" || applyTo === "HTTP_FILTER" ? relative : REPLACE_IGNORED;
    case "INSERT_BEFORE":
    case "INSERT_AFTER":
      return relative;
    default:
      return undefined;
  }
}

/** Name in the patch's value, else of the filter it looks for. */
function patchedName({ match, patch }: Patch): string {
  const own = patch?.value?.["name"];
  if (own !== undefined) return JSON.stringify(own);
  const chain = match?.listener?.["filterChain"] as { readonly filter?: { readonly name?: unknown } } | undefined;
  return patch?.value === undefined ? "" : String(chain?.filter?.name ?? "");
}
