/** Envoy's rate limit service (envoy.service.ratelimit.v3, `ShouldRateLimit`) behind core's port for one. */

import type { RateLimitRequest, RateLimitResponse, RateLimitService, RateLimitStatus } from "@inmesh/core";
import type { ServiceClients } from "./service-clients.js";
import { fieldsOf, MessageWriter } from "./wire.js";

const METHOD = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";
const OVER_LIMIT = 2;
const MS_PER_S = 1_000;
const NS_PER_MS = 1_000_000;

export interface GrpcRateLimitServiceOptions {
  readonly clients: ServiceClients;
  /** Of the service, as clients of the mesh name it. */
  readonly host: string;
  readonly port: number;
  /** @default 20, as Envoy's */
  readonly timeoutMs?: number;
}

export class GrpcRateLimitService implements RateLimitService {
  readonly #options: Required<GrpcRateLimitServiceOptions>;

  constructor({ timeoutMs = 20, ...options }: GrpcRateLimitServiceOptions) {
    this.#options = { timeoutMs, ...options };
  }

  async shouldRateLimit(request: RateLimitRequest, signal?: AbortSignal): Promise<RateLimitResponse> {
    const { clients, host, port, timeoutMs } = this.#options;
    const answer = await clients.call({ host, port, path: METHOD, message: encode(request), timeoutMs, signal });
    return decode(answer);
  }
}

function encode({ domain, descriptors, hitsAddend = 1 }: RateLimitRequest): Uint8Array {
  const request = new MessageWriter().text(1, domain);
  for (const { entries } of descriptors) {
    const descriptor = new MessageWriter();
    for (const { key, value } of entries) descriptor.entry(1, key, value); // an entry has the form of a map's
    request.message(2, descriptor.finish());
  }
  return request.number(3, hitsAddend).finish();
}

/** @throws {RangeError} for what is no such message */
function decode(message: Uint8Array): RateLimitResponse {
  let overall = 0;
  const statuses: RateLimitStatus[] = [];
  for (const { number, value, bytes } of fieldsOf(message)) {
    if (number === 1) overall = value;
    if (number === 2) statuses.push(statusOf(bytes));
  }
  return { overallCode: codeOf(overall), statuses };
}

function statusOf(message: Uint8Array): RateLimitStatus {
  let code = 0;
  let limited = false;
  let limitRemaining = 0;
  let durationUntilResetMs: number | undefined;
  for (const { number, value, bytes } of fieldsOf(message)) {
    if (number === 1) code = value;
    else if (number === 2) limited = true;
    else if (number === 3) limitRemaining = value;
    else if (number === 4) {
      durationUntilResetMs = 0;
      for (const each of fieldsOf(bytes)) {
        durationUntilResetMs += each.number === 1 ? each.value * MS_PER_S : each.value / NS_PER_MS;
      }
    }
  }
  return {
    code: codeOf(code),
    ...((limited || limitRemaining > 0) && { limitRemaining }),
    ...(durationUntilResetMs !== undefined && { durationUntilResetMs }),
  };
}

function codeOf(value: number): RateLimitStatus["code"] {
  return value === OVER_LIMIT ? "OVER_LIMIT" : "OK";
}
