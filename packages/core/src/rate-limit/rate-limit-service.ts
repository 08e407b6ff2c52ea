/**
 * A counter outside of the process, asked by all processes of a service: the port for Envoy's rate limit service (v3,
 * `ShouldRateLimit`). Names are the protocol's, so that an implementation over gRPC has nothing to translate.
 */

import type { MatchRequest, RateLimitKey } from "@inmesh/model";
import { partOf } from "./request-key.js";

export interface RateLimitDescriptor {
  /** In order: the service looks them up as a path. */
  readonly entries: readonly { readonly key: string; readonly value: string }[];
  /** What it costs here, in place of the request's. */
  readonly hitsAddend?: number;
}

export interface RateLimitRequest {
  /** Whose limits: services share nothing across domains. */
  readonly domain: string;
  readonly descriptors: readonly RateLimitDescriptor[];
  /** What it costs. @default 1 */
  readonly hitsAddend?: number;
}

export type RateLimitCode = "OK" | "OVER_LIMIT";

export interface RateLimitStatus {
  readonly code: RateLimitCode;
  /** The limit that was found for the descriptor. */
  readonly currentLimit?: { readonly requests: number; readonly perMs: number };
  /** Left in this window, where a limit is known for the descriptor. */
  readonly limitRemaining?: number;
  /** Until the window ends, in ms. */
  readonly durationUntilResetMs?: number;
}

export interface RateLimitResponse {
  /** OVER_LIMIT when one of the descriptors is. */
  readonly overallCode: RateLimitCode;
  /** One for each descriptor, in their order. */
  readonly statuses: readonly RateLimitStatus[];
  /** To be added to the request, and to its answer whatever that is; flat. */
  readonly requestHeadersToAdd?: readonly string[];
  readonly responseHeadersToAdd?: readonly string[];
  /** Of the answer to a request that is refused. */
  readonly rawBody?: Uint8Array;
}

export interface RateLimitService {
  /** Rejects when the service cannot be asked; whoever asks decides what that means. */
  shouldRateLimit(request: RateLimitRequest, signal?: AbortSignal): Promise<RateLimitResponse>;
}

/** What Envoy's actions `remote_address`, `request_headers` and their like would send for the keys of a rule. */
export function descriptorOf(
  rule: string,
  keys: readonly RateLimitKey[],
  request: MatchRequest,
  source: string,
): RateLimitDescriptor {
  const entries = keys.map((key) => ({ key: entryKey(key), value: partOf(key, request, source) }));
  return { entries: [{ key: "generic_key", value: rule }, ...entries] };
}

function entryKey(key: RateLimitKey): string {
  switch (key.kind) {
    case "sourceIp":
      return "remote_address";
    case "header":
      return key.name;
    default:
      return `:${key.kind}`;
  }
}
