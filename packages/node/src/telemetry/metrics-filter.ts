/** Which metrics a scraper asks for: `?filter=` with a regular expression of RE2, as Envoy's, so that none holds the process up. */

import { compileRegex, regexFault } from "@inmesh/model/internal";

/** In characters. */
const LONGEST = 256;

/** @returns why it is none */
export function metricsFilter(query: URLSearchParams): { readonly filter?: (name: string) => boolean } | string {
  const pattern = query.get("filter") ?? "";
  if (pattern === "") return {};
  if (pattern.length > LONGEST) return `filter is longer than ${LONGEST} characters`;
  if (regexFault(pattern) !== undefined) return "filter is no regular expression of RE2";
  return { filter: compileRegex(`.*(?:${pattern}).*`) };
}
