import type { MatchRequest, RateLimitKey, RateLimitPolicy } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../runtime/random.js";
import { RateLimits } from "./rate-limits.js";
import { MOST_BUCKETS } from "./token-buckets.js";

function rule(name: string, options: Partial<RateLimitPolicy> = {}): RateLimitPolicy {
  const requests = options.requests ?? 10;
  return {
    ...{ name: `shop/web/${name}`, matches: () => true, keys: [], requests, perMs: 1_000, burst: requests },
    resource: { resource: { kind: "RateLimit", namespace: "shop", name: "web" }, path: "spec.rules[0]" },
    ...options,
  };
}

function request(path = "/", headers: Record<string, string | readonly string[]> = {}, method = "GET"): MatchRequest {
  return { method, path, authority: "web", scheme: "http", header: (name) => headers[name] };
}

function limits(...rules: RateLimitPolicy[]) {
  const made = new RateLimits();
  made.update(rules);
  const passes = (now: number, asked = request(), source = "10.0.0.1") =>
    made.take(asked, source, now)?.refusedBy === undefined;
  /** How many of so many at once pass. */
  const burst = (count: number, now: number, asked = request(), source = "10.0.0.1") =>
    Array.from({ length: count }, () => passes(now, asked, source)).filter(Boolean).length;
  return { made, passes, burst };
}

describe("a token bucket", () => {
  it("holds its burst, and fills at its rate", () => {
    const { burst } = limits(rule("a", { requests: 10, perMs: 1_000, burst: 5 }));
    expect(burst(20, 0)).toBe(5);
    expect(burst(20, 99)).toBe(0);
    expect(burst(20, 100)).toBe(1);
    expect(burst(20, 350)).toBe(2);
    expect(burst(20, 400)).toBe(1); // the half of 350 was not lost
    expect(burst(20, 100_000)).toBe(5);
  });

  it("lets exactly its rate pass in the long run, whenever it is asked", () => {
    const random = seededRandom(3);
    const { passes } = limits(rule("a", { requests: 3, perMs: 1_000, burst: 1 }));
    let now = 0;
    let passed = 0;
    while (now < 1_000_000) {
      now += random.next() * 40;
      if (passes(now)) passed += 1;
    }
    expect(passed).toBeGreaterThan(2_800);
    expect(passed).toBeLessThanOrEqual(3_001);
  });

  it("takes a clock that stands still for what it is", () => {
    const { burst } = limits(rule("a", { requests: 2 }));
    expect([burst(3, 5), burst(3, 5), burst(3, 4)]).toEqual([2, 0, 0]);
  });
});

describe("what tells requests apart", () => {
  it.each<[string, RateLimitKey[], MatchRequest, string, MatchRequest, string, boolean]>([
    ["addresses", [{ kind: "sourceIp" }], request(), "10.0.0.1", request(), "10.0.0.2", false],
    [
      "one address in both its forms",
      [{ kind: "sourceIp" }],
      request(),
      "10.0.0.1",
      request(),
      "::ffff:10.0.0.1",
      true,
    ],
    [
      "an address that a header claims",
      [{ kind: "sourceIp" }],
      request("/", { "x-forwarded-for": "1.1.1.1" }),
      "10.0.0.1",
      request("/", { "x-forwarded-for": "2.2.2.2", forwarded: "for=2.2.2.2" }),
      "10.0.0.1",
      true,
    ],
    ["methods", [{ kind: "method" }], request(), "", request("/", {}, "POST"), "", false],
    ["paths", [{ kind: "path" }], request("/a"), "", request("/b"), "", false],
    ["queries", [{ kind: "path" }], request("/a?b=1"), "", request("/a?b=2"), "", true],
    ["headers", [{ kind: "header", name: "k" }], request("/", { k: "1" }), "", request("/", { k: "2" }), "", false],
    ["no header", [{ kind: "header", name: "k" }], request(), "", request("/", { j: "2" }), "", true],
    [
      "parts that run into one another",
      [
        { kind: "header", name: "a" },
        { kind: "header", name: "b" },
      ],
      request("/", { a: "1", b: "23" }),
      "",
      request("/", { a: "12", b: "3" }),
      "",
      false,
    ],
    ["nothing", [], request("/a"), "10.0.0.1", request("/b"), "10.0.0.2", true],
  ])("are %s", (_, keys, one, from, two, and, shared) => {
    const { passes } = limits(rule("a", { requests: 1, keys }));
    expect(passes(0, one, from)).toBe(true);
    expect(passes(0, two, and)).toBe(!shared);
  });

  it("are kept apart by long values without keeping those", () => {
    const { passes, made } = limits(rule("a", { requests: 1, keys: [{ kind: "header", name: "k" }] }));
    const long = "x".repeat(10_000);
    expect(passes(0, request("/", { k: `${long}1` }))).toBe(true);
    expect(passes(0, request("/", { k: `${long}2` }))).toBe(true);
    expect(passes(0, request("/", { k: `${long}1` }))).toBe(false);
    expect(made.read()[0]).toMatchObject({ buckets: 2 });
  });

  it("are no more than so many: who was not seen for longest goes first", () => {
    const { passes, made } = limits(rule("a", { requests: 1, perMs: 1e9, keys: [{ kind: "sourceIp" }] }));
    for (let index = 0; index < MOST_BUCKETS; index++) passes(index, request(), `s${index}`);
    expect(passes(20_000, request(), "s0")).toBe(false); // used again
    for (let index = 0; index < 100; index++) passes(20_000, request(), `t${index}`);
    expect(made.read()[0]?.buckets).toBe(MOST_BUCKETS);
    expect(passes(20_001, request(), "s0")).toBe(false);
    expect(passes(20_001, request(), "s1")).toBe(true); // forgotten
  });
});

describe("several rules", () => {
  it("must all let a request pass, and what a later one refuses costs nothing at the earlier", () => {
    const { made, burst } = limits(
      rule("a", { requests: 100, perMs: 1e9 }),
      rule("b", { requests: 2, perMs: 1e9, matches: ({ path }) => path === "/b" }),
    );
    expect(burst(50, 0, request("/b"))).toBe(2);
    expect(made.read().map(({ passed, refused }) => [passed, refused])).toEqual([
      [50, 0],
      [2, 48],
    ]);
    expect(burst(200, 0, request("/a"))).toBe(98);
  });

  it("concern only what they match", () => {
    const { made } = limits(rule("a", { matches: ({ method }) => method === "POST" }));
    expect(made.take(request(), "", 0)).toBeUndefined();
  });

  it("keep their buckets through every policy that leaves their numbers alone", () => {
    const { made, burst } = limits(rule("a", { requests: 3, perMs: 1e9 }), rule("b", { requests: 90 }));
    expect(burst(2, 0)).toBe(2);
    made.update([rule("0", { requests: 90 }), rule("a", { requests: 3, perMs: 1e9, matches: () => true })]);
    expect(burst(5, 0)).toBe(1);
    made.update([rule("a", { requests: 4, perMs: 1e9 })]);
    expect(burst(5, 0)).toBe(4);
    made.update([rule("a", { requests: 4, perMs: 1e9, keys: [{ kind: "method" }] })]);
    expect(burst(5, 0)).toBe(4);
  });
});

describe("headers", () => {
  it("say what is allowed and what is left", () => {
    const { made } = limits(
      rule("a", { requests: 100, perMs: 60_000 }),
      rule("b", { requests: 5, perMs: 500, burst: 20 }),
    );
    made.take(request(), "", 0);
    expect(made.take(request(), "", 0)?.headers()).toEqual([
      "RateLimit-Policy",
      '"shop/web/a";q=100;w=60, "shop/web/b";q=10;w=1',
      "RateLimit",
      '"shop/web/a";r=98;t=2, "shop/web/b";r=18;t=1',
    ]);
  });

  it("say when to come back: whole seconds, rounded up, and then a token is there", () => {
    const { made, passes } = limits(rule("a", { requests: 2, perMs: 5_000 }));
    expect([passes(0), passes(0)]).toEqual([true, true]);
    const taken = made.take(request(), "", 100);
    expect(taken?.retryAfter).toBe(3); // 2.4 s
    expect(taken?.headers()).toEqual(["RateLimit-Policy", '"shop/web/a";q=2;w=5', "RateLimit", '"shop/web/a";r=0;t=3']);
    expect(passes(100 + 3_000)).toBe(true);
  });

  it("hold a name of whatever letters", () => {
    const { made } = limits(rule('ä"\\'));
    expect(made.take(request(), "", 0)?.headers()[1]).toBe('"shop/web/_\\"\\\\";q=10;w=1');
  });
});
