import type { MatchRequest, RateLimitKey } from "@inmesh/model";
import { expect, it } from "vitest";
import { FakeClock } from "../runtime/fake-clock.js";
import { MemoryRateLimitService } from "./memory-rate-limit-service.js";
import { descriptorOf } from "./rate-limit-service.js";

const request: MatchRequest = {
  ...{ method: "POST", path: "/cart?x=1", authority: "web", scheme: "http" },
  header: (name) => (name === "x-user" ? "ann" : undefined),
};

it("is asked for what Envoy's actions would ask", () => {
  const keys: RateLimitKey[] = [
    { kind: "sourceIp" },
    { kind: "header", name: "x-user" },
    { kind: "method" },
    { kind: "path" },
  ];
  expect(descriptorOf("shop/web/all", keys, request, "::ffff:10.0.0.1").entries).toEqual([
    { key: "generic_key", value: "shop/web/all" },
    { key: "remote_address", value: "10.0.0.1" },
    { key: "x-user", value: "ann" },
    { key: ":method", value: "POST" },
    { key: ":path", value: "/cart" },
  ]);
});

it("counts each value for itself, in windows, and leaves alone what nobody limits", async () => {
  const clock = new FakeClock();
  const entries = [{ key: "generic_key", value: "by-user" }, { key: "x-user" }];
  const service = new MemoryRateLimitService(clock, { shop: [{ entries, requests: 2, perMs: 1_000 }] });
  const ask = async (user: string, domain = "shop") => {
    const descriptor = { entries: [entries[0] as { key: string; value: string }, { key: "x-user", value: user }] };
    return service.shouldRateLimit({ domain, descriptors: [descriptor, { entries: [{ key: "other", value: "" }] }] });
  };
  clock.advance(250);
  const currentLimit = { requests: 2, perMs: 1_000 };
  expect(await ask("ann")).toEqual({
    overallCode: "OK",
    statuses: [{ code: "OK", currentLimit, limitRemaining: 1, durationUntilResetMs: 750 }, { code: "OK" }],
  });
  await ask("ann");
  expect((await ask("ann")).overallCode).toBe("OVER_LIMIT");
  expect((await ask("bob")).overallCode).toBe("OK");
  expect((await ask("ann", "elsewhere")).overallCode).toBe("OK");
  clock.advance(750);
  expect((await ask("ann")).overallCode).toBe("OK");
});
