/** Envoy's rate limit service (envoy.service.ratelimit.v3, `ShouldRateLimit`) behind core's port for one. */

import type { RateLimitRequest, RateLimitResponse, RateLimitService, RateLimitStatus } from "@inmesh/core";
import { protobufFields } from "@inmesh/core/internal";
import type { ServiceClients } from "./service-clients.js";
import { MessageWriter, textOf } from "./wire.js";

const METHOD = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";
const OVER_LIMIT = 2;
const NOTHING = new Uint8Array(0);
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
  for (const { entries, hitsAddend: own } of descriptors) {
    const descriptor = new MessageWriter();
    for (const { key, value } of entries) descriptor.entry(1, key, value); // an entry has the form of a map's
    // A UInt64Value: there, also where it is 0.
    if (own !== undefined) descriptor.message(3, own === 0 ? NOTHING : new MessageWriter().number(1, own).finish());
    request.message(2, descriptor.finish());
  }
  return request.number(3, hitsAddend).finish();
}

/** @throws {RangeError} for what is no such message */
function decode(message: Uint8Array): RateLimitResponse {
  let overall = 0;
  const statuses: RateLimitStatus[] = [];
  const responseHeadersToAdd: string[] = [];
  const requestHeadersToAdd: string[] = [];
  let rawBody: Uint8Array | undefined;
  for (const { number, value, bytes } of protobufFields(message)) {
    if (number === 1) overall = value;
    else if (number === 2) statuses.push(statusOf(bytes));
    else if (number === 3) responseHeadersToAdd.push(...headerOf(bytes));
    else if (number === 4) requestHeadersToAdd.push(...headerOf(bytes));
    else if (number === 5 && bytes.length > 0) rawBody = bytes;
  }
  const headers = { responseHeadersToAdd, requestHeadersToAdd };
  return { overallCode: codeOf(overall), statuses, ...headers, ...(rawBody && { rawBody }) };
}

/** HeaderValue: its value as text or, for a line that is no UTF-8, as bytes. */
function headerOf(message: Uint8Array): readonly [name: string, value: string] {
  let name = "";
  let text = "";
  for (const { number, bytes } of protobufFields(message)) {
    if (number === 1) name = textOf(bytes);
    else if (number === 2 && bytes.length > 0) text = textOf(bytes);
    else if (number === 3 && bytes.length > 0) text = Buffer.from(bytes).toString("latin1");
  }
  return [name, text];
}

/** RateLimitResponse.RateLimit.Unit, in ms; a month has 30 days, a year 365. */
const DAY_MS = 86_400_000;
const UNIT_MS = [0, 1_000, 60_000, 3_600_000, DAY_MS, 30 * DAY_MS, 365 * DAY_MS, 7 * DAY_MS];

function limitOf(message: Uint8Array): RateLimitStatus["currentLimit"] {
  let requests = 0;
  let perMs = 0;
  for (const { number, value } of protobufFields(message)) {
    if (number === 1) requests = value;
    else if (number === 2) perMs = UNIT_MS[value] ?? 0;
  }
  return perMs === 0 ? undefined : { requests, perMs };
}

function statusOf(message: Uint8Array): RateLimitStatus {
  let code = 0;
  let limited = false;
  let currentLimit: RateLimitStatus["currentLimit"];
  let limitRemaining = 0;
  let durationUntilResetMs: number | undefined;
  for (const { number, value, bytes } of protobufFields(message)) {
    if (number === 1) code = value;
    else if (number === 2) {
      limited = true;
      currentLimit = limitOf(bytes);
    } else if (number === 3) limitRemaining = value;
    else if (number === 4) {
      durationUntilResetMs = 0;
      for (const each of protobufFields(bytes)) {
        durationUntilResetMs += each.number === 1 ? each.value * MS_PER_S : each.value / NS_PER_MS;
      }
    }
  }
  return {
    code: codeOf(code),
    ...(currentLimit && { currentLimit }),
    ...((limited || limitRemaining > 0) && { limitRemaining }),
    ...(durationUntilResetMs !== undefined && { durationUntilResetMs }),
  };
}

function codeOf(value: number): RateLimitStatus["code"] {
  return value === OVER_LIMIT ? "OVER_LIMIT" : "OK";
}
