/** Handlers that misbehave, around one that does not. */

import type { RequestListener } from "node:http";
import { type Random, seededRandom } from "@inmesh/core";

export interface FlakyOptions {
  /** Share of requests that fail, 0–1. */
  readonly ratio: number;
  /** @default 503 */
  readonly status?: number;
  /** @default seeded with 1: a test sees the same failures every time */
  readonly random?: Random;
}

/** Answers a share of the requests with an error status. */
export function flaky(
  handler: RequestListener,
  { ratio, status = 503, random = seededRandom(1) }: FlakyOptions,
): RequestListener {
  return (request, response) => {
    if (random.next() >= ratio) return handler(request, response);
    request.resume();
    response.writeHead(status).end();
  };
}

/** Breaks the connection of a share of the requests before an answer. */
export function resetting(
  handler: RequestListener,
  { ratio, random = seededRandom(1) }: Omit<FlakyOptions, "status">,
): RequestListener {
  return (request, response) => {
    if (random.next() >= ratio) return handler(request, response);
    request.socket.resetAndDestroy();
  };
}

/** Accepts and never answers. */
export const silent: RequestListener = (request) => {
  request.resume();
};
