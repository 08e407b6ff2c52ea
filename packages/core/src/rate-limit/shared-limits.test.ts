import type { MatchRequest, SharedLimitPolicy, SharedLimitService } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import type { Rejection } from "../admission/rejection.js";
import { FakeClock } from "../runtime/fake-clock.js";
import { MemoryRateLimitService } from "./memory-rate-limit-service.js";
import type { RateLimitRequest } from "./rate-limit-service.js";
import { SharedLimits } from "./shared-limits.js";

const SERVICE: SharedLimitService = {
  ...{ host: "limits.infra.svc", port: 8081, domain: "shop", timeoutMs: 20, failureModeDeny: false },
};

function rule(name: string, options: Partial<SharedLimitPolicy> = {}): SharedLimitPolicy {
  return {
    ...{ name: `shop/web/${name}`, rule: name, matches: () => true, keys: [], hits: 1, service: SERVICE },
    resource: { resource: { kind: "RateLimit", namespace: "shop", name: "web" }, path: "spec.rules[0]" },
    ...options,
  };
}

function request(path = "/", headers: Record<string, string> = {}): MatchRequest {
  return { method: "GET", path, authority: "web", scheme: "http", header: (name) => headers[name] };
}

function limits(...rules: SharedLimitPolicy[]) {
  const clock = new FakeClock();
  const said: string[] = [];
  const made = new SharedLimits(clock, (message) => said.push(message));
  made.update(rules);
  const service = new MemoryRateLimitService(clock, {
    shop: [
      { entries: [{ key: "generic_key", value: "all" }], requests: 3, perMs: 60_000 },
      { entries: [{ key: "generic_key", value: "by-user" }, { key: "x-user" }], requests: 1, perMs: 60_000 },
    ],
  });
  made.services = () => service;
  return { made, clock, said };
}

/** Undefined for what passes. */
function refusal(verdict: object | undefined): Rejection | undefined {
  return verdict !== undefined && "status" in verdict ? (verdict as Rejection) : undefined;
}

describe("limits that a service counts", () => {
  it("hold, by what the rule tells requests apart by, and say when to come again", async () => {
    const byUser = rule("by-user", { keys: [{ kind: "header", name: "x-user" }] });
    const { made } = limits(rule("all"), byUser);
    const ask = async (user: string) => refusal(await made.ask(request("/", { "x-user": user }), "10.0.0.1"));
    expect(await ask("ann")).toBeUndefined();
    const refused = await ask("ann");
    expect(refused).toMatchObject({ code: "RATE_LIMITED", status: 429, grpcStatus: 8 });
    expect(refused?.body).toContain('"shop/web/by-user" is used up for all processes together');
    expect(refused?.headers).toEqual(expect.arrayContaining(["Retry-After", "60", "x-envoy-ratelimited", "true"]));
    expect(await ask("bob")).toBeUndefined();
    expect((await ask("cleo"))?.body).toContain('"shop/web/all"');
    expect(made.read().map(({ name, passed, refused, failed }) => [name, passed, refused, failed])).toEqual([
      ["shop/web/all", 3, 1, 0],
      ["shop/web/by-user", 3, 1, 0],
    ]);
  });

  it("tell what is left, as the service knows it", async () => {
    const { made, clock } = limits(rule("all"));
    const ask = () => made.ask(request(), "");
    const name = '"shop/web/all"';
    const left = (count: number, seconds: number) => [[`${name};q=3;w=60`, `${name};r=${count};t=${seconds}`]];
    expect(await ask()).toEqual({ set: [], answer: [], items: left(2, 60) });
    clock.advance(18_500);
    expect(await ask()).toMatchObject({ items: left(1, 42) });
    await ask();
    expect((await ask()) as Rejection).toMatchObject({
      headers: expect.arrayContaining(["RateLimit-Policy", `${name};q=3;w=60`, "RateLimit", `${name};r=0;t=42`]),
    });
  });

  it("add what the service wants to the request and its answer, but nothing of the connection's or the mesh's", async () => {
    const { made } = limits(rule("all"), rule("other", { service: { ...SERVICE, domain: "other" } }));
    made.services = ({ domain }) => ({
      shouldRateLimit: async () => ({
        overallCode: "OK",
        statuses: [],
        requestHeadersToAdd: ["X-Tier", domain, "host", "evil", "x-inmesh-attempt", "9"],
        responseHeadersToAdd: ["x-left", "1", "x-left", "2", "content-length", "7"],
      }),
    });
    expect(await made.ask(request("/", { "x-tier": "caller" }), "")).toEqual({
      set: ["x-tier", "caller,shop", "x-tier", "caller,other"],
      answer: ["x-left", "1,2", "x-left", "1,2"],
      items: [],
    });
    made.services = () => ({
      shouldRateLimit: async () => ({
        ...{ overallCode: "OVER_LIMIT", statuses: [{ code: "OVER_LIMIT" }] },
        ...{ responseHeadersToAdd: ["x-plan", "free"], rawBody: Buffer.from("buy more") },
      }),
    });
    const refused = refusal(await made.ask(request(), ""));
    expect([refused?.headers, String(refused?.body)]).toEqual([expect.arrayContaining(["x-plan", "free"]), "buy more"]);
  });

  it("are told what a request costs: with the request where all agree, else with each", async () => {
    const asked: RateLimitRequest[] = [];
    const costs = async (...hits: number[]) => {
      const { made } = limits(...hits.map((each, at) => rule(`r${at}`, { hits: each })));
      const shouldRateLimit = async (message: RateLimitRequest) => {
        asked.push(message);
        return { overallCode: "OK", statuses: [] } as const;
      };
      made.services = () => ({ shouldRateLimit });
      await made.ask(request(), "");
      const { hitsAddend, descriptors } = asked.at(-1)!; // just now
      return [hitsAddend, ...descriptors.map((each) => each.hitsAddend)];
    };
    expect(await costs(1)).toEqual([undefined, undefined]);
    expect(await costs(5, 5)).toEqual([5, undefined, undefined]);
    expect(await costs(1, 5)).toEqual([undefined, 1, 5]);
    expect(await costs(0)).toEqual([undefined, 0]);
  });

  it("are asked about what they match, and in one message for one service", async () => {
    const { made } = limits(rule("all", { matches: ({ path }) => path === "/a" }), rule("other"));
    const asked: unknown[] = [];
    made.services = () => ({
      async shouldRateLimit(message) {
        asked.push(message);
        return { overallCode: "OK", statuses: [] };
      },
    });
    await made.ask(request("/b"), "::ffff:10.0.0.1");
    await made.ask(request("/a"), "::ffff:10.0.0.1");
    const entry = (value: string) => ({ entries: [{ key: "generic_key", value }] });
    expect(asked).toEqual([
      { domain: "shop", descriptors: [entry("other")] },
      { domain: "shop", descriptors: [entry("all"), entry("other")] },
    ]);
    made.update([rule("all", { matches: () => false })]);
    expect(made.ask(request("/b"), "")).toBeUndefined();
  });

  it.each([
    [false, undefined, "pass, unless failureModeDeny is set"],
    [true, { code: "RATE_LIMIT_UNAVAILABLE", status: 500 }, "are turned away, as failureModeDeny says"],
  ])("whose service is silent, failureModeDeny %s", async (failureModeDeny, expected, words) => {
    const { made, clock, said } = limits(rule("all", { service: { ...SERVICE, failureModeDeny } }));
    made.services = () => ({ shouldRateLimit: () => Promise.reject(new Error("no answer within 20 ms")) });
    const rejection = await made.ask(request(), "");
    if (expected === undefined) expect(rejection).toBeUndefined();
    else expect(rejection).toMatchObject(expected);
    await made.ask(request(), "");
    expect(said).toEqual([expect.stringMatching(`limits.infra.svc:8081 cannot be asked: no answer .* ${words}`)]);
    clock.advance(60_000);
    await made.ask(request(), "");
    expect([said.length, made.read()[0]?.failed]).toEqual([2, 3]);
  });
});
