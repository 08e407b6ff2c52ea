import type { HashKey, Route } from "@inmesh/model";
import { describe, expect, it, vi } from "vitest";
import { XxHashLoader } from "../balance/xx-hash.js";
import { hashRequest } from "../call/request-hash.js";
import { answers } from "../testing/behaviour.js";
import type { FakeRoute } from "../testing/fake-snapshot.js";
import { type TestCallOptions, testEngine } from "../testing/test-engine.js";

const ENDPOINTS = Array.from({ length: 5 }, (_, index) => `10.0.0.${index + 1}:80`);
const USER: HashKey = { kind: "header", name: "x-user" };
const SESSION: HashKey = {
  kind: "cookie",
  name: "session",
  path: "/shop",
  ttlMs: 90_500,
  attributes: [
    ["SameSite", "Lax"],
    ["Secure", ""],
  ],
};

async function setup(hashKeys: Route["hashKeys"], route: FakeRoute = {}) {
  const policy = { hash: { kind: "ringHash", minimumRingSize: 1_024 } } as const;
  const test = testEngine({
    clusters: { cart: { endpoints: ENDPOINTS, policy } },
    hosts: { cart: [{ ...route, hashKeys }] },
  });
  const first = test.send("cart");
  await vi.waitFor(() => expect(first.exchange.attempts).toHaveLength(1)); // it waits for the hash function
  const call = (options?: TestCallOptions) => {
    const { call: made, exchange } = test.send("cart", options);
    test.clock.advance(100);
    return { call: made, to: exchange.attempts.map(({ endpoint }) => endpoint.endpoint.id) };
  };
  /** Where each of `values` of x-user goes. */
  const users = (values: readonly string[]) => values.map((user) => call({ headers: ["X-User", user] }).to[0]);
  return { ...test, call, users };
}

const NAMES = Array.from({ length: 100 }, (_, index) => `user-${index}`);

describe("xxHash64", () => {
  it.each([
    ["", 0xef46db3751d8e999n],
    ["a", 0xd24ec4f1a98c6e5bn],
    ["abc", 0x44bc2cf5ad770999n],
  ])("of %j is the one of its authors", async (text, wanted) => {
    const loader = new XxHashLoader();
    expect(loader.hash).toBeUndefined();
    await loader.load();
    expect(loader.hash?.(text)).toBe(wanted);
  });
});

const PROCESS = { address: "10.1.2.3", instance: "app-1" };

describe("hashRequest", () => {
  const hashOf = (keys: readonly HashKey[], headers: readonly [string, string][] = [], path = "/") => {
    const header = (name: string) => {
      const values = headers.filter(([each]) => each === name).map(([, value]) => value);
      return values.length > 1 ? values : values[0];
    };
    const plain = (text: string, seed = 0n) => BigInt(text.length) + seed * 1_000n; // easy to follow
    return hashRequest({ header, path }, keys, plain, PROCESS, () => "new").hash;
  };
  const ROTATED = 1n << 63n;

  it.each<[string, bigint | undefined, Parameters<typeof hashOf>]>([
    ["no part is there", undefined, [[USER, { kind: "queryParameter", name: "q" }], [], "/?p=1"]],
    ["one header", 3n, [[USER], [["x-user", "abc"]]]],
    [
      "two lines of a header, each seeding the next",
      1_002n,
      [
        [USER],
        [
          ["x-user", "bb"],
          ["x-user", "a"],
        ],
      ],
    ],
    ["a query parameter, undecoded", 6n, [[{ kind: "queryParameter", name: "q" }], [], "/a?p=q&q=%20%20&q=1"]],
    ["the address of the caller", 8n, [[{ kind: "sourceIp" }]]],
    ["the calling process", 5n, [[{ kind: "process" }]]],
    [
      "what a header's value is rewritten to",
      1n,
      [[{ ...USER, rewrite: (value) => value.slice(2) }], [["x-user", "abc"]]],
    ],
    [
      "nothing behind a last part that is there",
      3n,
      [[{ ...USER, terminal: true }, { kind: "sourceIp" }], [["x-user", "abc"]]],
    ],
    ["what is behind a last part that is missing", 8n, [[{ ...USER, terminal: true }, { kind: "sourceIp" }]]],
    [
      "nothing behind a last part that is missing where there was one before it",
      3n,
      [[USER, { kind: "queryParameter", name: "q", terminal: true }, { kind: "sourceIp" }], [["x-user", "abc"]]],
    ],
    ["a quoted cookie", 3n, [[{ ...SESSION, ttlMs: 0 }], [["cookie", 'a=session; session="s-1"']]]],
    ["a cookie that is to be made", 3n, [[SESSION], [["cookie", "a=b"]]]],
    ["a part twice, which does not cancel itself out", 3n ^ 6n, [[USER, USER], [["x-user", "abc"]]]],
    ["what is missing left out", 3n, [[{ kind: "queryParameter", name: "q" }, USER], [["x-user", "abc"]]]],
  ])("is of %s", (_, wanted, given) => {
    expect(hashOf(...given)).toBe(wanted);
  });

  it("rotates the highest bit round to the lowest", () => {
    const keys: HashKey[] = [USER, { kind: "sourceIp" }];
    const hash = (text: string) => (text === "u" ? ROTATED : 0n);
    expect(hashRequest({ header: () => "u", path: "/" }, keys, hash, PROCESS, () => "").hash).toBe(1n);
  });
});

describe("affinity", () => {
  it("ties equal requests to one endpoint, different ones to all of them, and lets the others go anywhere", async () => {
    const { users, call } = await setup([USER]);
    const places = users(NAMES);
    expect(users(NAMES)).toEqual(places);
    expect(new Set(places)).toEqual(new Set(ENDPOINTS));
    expect(new Set(NAMES.map(() => call().to[0])).size).toBeGreaterThan(1);
  });

  it("gives a caller without the cookie one, with which its next request goes to the same endpoint", async () => {
    const { call } = await setup([SESSION]);
    const first = call();
    expect(first.call.responseOps).toHaveLength(1);
    const [name, line] = first.call.responseOps[0]!.add[0]!; // one above
    expect([name, line]).toEqual([
      "set-cookie",
      expect.stringMatching(/^session="[0-9a-f]{16}"; Max-Age=90; Path=\/shop; SameSite=Lax; Secure; HttpOnly$/),
    ]);
    const next = call({ headers: ["cookie", line.split(";")[0]!] });
    expect(next.to).toEqual(first.to);
    expect(next.call.responseOps).toEqual([]);
  });

  it("gives no Max-Age to a cookie that ends with the browser, and none at all without a ttl", async () => {
    const { ttlMs: _, ...without } = SESSION;
    const session = await setup([{ ...SESSION, ttlMs: 0 }]);
    expect(session.call().call.responseOps[0]?.add[0]?.[1]).not.toContain("Max-Age");
    expect((await setup([without])).call().call.responseOps).toEqual([]);
  });

  it("sends retries to the same endpoint, or to another one where the rule avoids those that failed", async () => {
    const retry = { on: ["503"], backoffBaseMs: 1 };
    for (const avoidPreviousHosts of [false, true]) {
      const { send, clock, network } = await setup([USER], { retry: { ...retry, avoidPreviousHosts } });
      network.script("*", answers(503));
      const { exchange } = send("cart", { headers: ["x-user", "a"] });
      await clock.advanceAsync(1_000);
      const places = exchange.attempts.map(({ endpoint }) => endpoint.endpoint.id);
      expect([places.length, new Set(places).size]).toEqual([3, avoidPreviousHosts ? 3 : 1]);
    }
  });
});
