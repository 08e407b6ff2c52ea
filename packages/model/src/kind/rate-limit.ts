/** RateLimit (inmesh.dev): how many requests the processes of a host take, each by itself or all together. docs/reference/resilience.md. */

import * as z from "zod/mini";
import { duration, flag, message, text, uint32 } from "./field.js";
import { requestMatch } from "./request-match.js";

const rule = message({
  name: text,
  match: z.array(requestMatch),
  /** `SOURCE_IP`, `METHOD`, `PATH` or `header:NAME`. */
  by: z.array(z.string()),
  requests: uint32,
  per: duration,
  burst: uint32,
  /** What a request costs that a service counts; Envoy's `hits_addend`. 0: it is asked, and counts nothing. */
  hitsAddend: uint32,
});

/** Who counts for all processes: Envoy's rate limit service, under the names that Envoy's filter has for it. */
const service = message({
  host: text,
  port: uint32,
  domain: text,
  timeout: duration,
  failureModeDeny: flag,
});

export const rateLimit = message({ host: text, service, rules: z.array(rule) });

export type RateLimitSpec = z.infer<typeof rateLimit>;
export type RateLimitRuleSpec = z.infer<typeof rule>;

export type RateLimitKeySpec =
  | { readonly kind: "sourceIp" | "method" | "path" }
  | { readonly kind: "header"; readonly name: string };

const KEYS = new Map<string, RateLimitKeySpec>([
  ["SOURCE_IP", { kind: "sourceIp" }],
  ["METHOD", { kind: "method" }],
  ["PATH", { kind: "path" }],
]);
const HEADER = "header:";

/** @returns undefined for text that is no entry of `by` */
export function parseRateLimitKey(text: string): RateLimitKeySpec | undefined {
  const name = text.startsWith(HEADER) ? text.slice(HEADER.length).toLowerCase() : "";
  return name === "" ? KEYS.get(text) : { kind: "header", name };
}
