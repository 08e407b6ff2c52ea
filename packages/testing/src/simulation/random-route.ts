/** What a rule asks of the calls that it matches, drawn. */

import type { FakeRoute } from "@inmesh/core/testing";
import type { Draw } from "./draw.js";

const RETRY_ON = [
  ["5xx"],
  ["connect-failure", "reset", "503"],
  ["gateway-error", "retriable-4xx"],
  ["5xx", "connect-failure", "reset"],
  ["5xx", "reset", "429", "envoy-ratelimited"],
];

/** @param others services that it may send to besides */
export function drawRoute(draw: Draw, service: string, others: readonly string[]): FakeRoute {
  const timeoutMs = draw.chance(0.6) ? draw.oneOf([20, 50, 100, 250, 1_000]) : 0;
  const split = draw.chance(0.2) ? { [service]: 3, [draw.oneOf(others)]: 1 } : service;
  return {
    to: split,
    timeoutMs,
    ...(draw.chance(0.8) && {
      retry: {
        on: draw.oneOf(RETRY_ON),
        maxAttempts: draw.whole(2, 5),
        perTryTimeoutMs: draw.chance(0.5) ? draw.oneOf([10, 30, 80, 200]) : 0,
        backoffBaseMs: draw.oneOf([1, 5, 25]),
        backoffMaxMs: draw.oneOf([25, 250]),
        avoidPreviousHosts: draw.chance(0.7),
      },
    }),
    ...(draw.chance(0.1) && {
      fault: {
        delayRatio: draw.oneOf([0, 0.2]),
        delayMs: draw.ms(1, 60),
        abortRatio: draw.oneOf([0, 0.1]),
        abortStatus: 503,
      },
    }),
    ...(draw.chance(0.2) && {
      mirrors: draw.some([...others, service, "nowhere"], 0.5).map((cluster, index) => ({
        destination: { cluster, host: cluster, port: 80, subset: "", weight: 100 },
        ratio: draw.oneOf([1, 0.3]),
        field: `mirrors[${index}]`,
      })),
    }),
    ...(draw.chance(0.5) && { hashKeys: [{ kind: "header" as const, name: "x-user" }] }),
  };
}
