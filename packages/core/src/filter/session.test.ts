import type { SessionPolicy } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { answers } from "../testing/behaviour.js";
import { type FakeRoute, fakeOutlier } from "../testing/fake-snapshot.js";
import { type TestCallOptions, testEngine } from "../testing/test-engine.js";

const CARTS = Array.from({ length: 5 }, (_, index) => `10.0.0.${index + 1}:80`);
const NEW_CARTS = ["10.0.1.1:80", "10.0.1.2:80"];
const COOKIE: SessionPolicy = {
  kind: "cookie",
  name: "cart",
  path: "/shop",
  permanent: false,
  absoluteMs: 0,
  idleMs: 0,
};

function setup(session: SessionPolicy, route: FakeRoute = {}) {
  const test = testEngine({
    clusters: { cart: { endpoints: CARTS }, "new-cart": NEW_CARTS },
    hosts: { cart: [{ session, ...route }] },
  });
  const call = (options?: TestCallOptions) => {
    const { call: made, exchange } = test.send("cart", options);
    test.clock.advance(100);
    const ops = made.responseOps.flatMap(({ add, set }) => [...add, ...set]);
    return { to: exchange.attempts.map(({ endpoint }) => endpoint.endpoint.id), mark: ops[0], ops };
  };
  /** As a browser would. */
  const withCookie = (line: string) => call({ headers: ["cookie", `a=b; ${line.split(";")[0]}`] });
  return { ...test, call, withCookie };
}

describe("a session", () => {
  it("stays with the endpoint of its first request, by a cookie that says nothing of its address", () => {
    const { call, withCookie } = setup(COOKIE);
    const places = new Set<string>();
    for (let user = 0; user < 30; user++) {
      const first = call();
      const [name, line] = first.mark!;
      expect([name, line]).toEqual(["set-cookie", expect.stringMatching(/^cart=[\w-]{16}; Path=\/shop; HttpOnly$/)]);
      const later = Array.from({ length: 5 }, () => withCookie(line));
      expect(later.map(({ to }) => to)).toEqual(later.map(() => first.to));
      expect(later.flatMap(({ ops }) => ops)).toEqual([]);
      places.add(first.to[0]!);
    }
    expect([...places].sort()).toEqual(CARTS);
  });

  it("travels in a header where the rule says so", () => {
    const { call } = setup({ ...COOKIE, kind: "header", name: "x-cart" });
    const first = call();
    expect(first.mark).toEqual(["x-cart", expect.stringMatching(/^[\w-]{16}$/)]);
    for (let again = 0; again < 10; again++) expect(call({ headers: ["X-Cart", first.mark![1]] }).to).toEqual(first.to);
  });

  it("outranks the weights of the rule", () => {
    const { call, withCookie } = setup(COOKIE, { to: { cart: 1, "new-cart": 99 } });
    const firsts = Array.from({ length: 300 }, () => call());
    const old = firsts.find(({ to }) => CARTS.includes(to[0]!))!;
    for (let again = 0; again < 20; again++) expect(withCookie(old.mark![1]).to).toEqual(old.to);
  });

  it.each(["nonsense", "AAAAAAAAAAAAAAAA", "10.0.0.1:80", "", "..", "x".repeat(5_000)])(
    "begins anew for the mark %j",
    (text) => {
      const { call } = setup(COOKIE);
      const { to, mark } = call({ headers: ["cookie", `cart=${text}`] });
      expect(CARTS).toContain(to[0]);
      expect(mark?.[0]).toBe("set-cookie");
    },
  );

  it("moves on when its endpoint has failed the request, or is out, and says so", async () => {
    const retry = { on: ["503"], backoffBaseMs: 1 };
    const { call, send, clock, network } = setup(COOKIE, { retry });
    const first = call();
    network.script(first.to[0]!, answers(503));
    const { call: made, exchange } = send("cart", { headers: ["cookie", first.mark![1].split(";")[0]!] });
    await clock.advanceAsync(1_000);
    const places = exchange.attempts.map(({ endpoint }) => endpoint.endpoint.id);
    expect(places).toEqual([first.to[0], expect.stringMatching(/^10\.0\.0\./)]);
    expect(places[1]).not.toBe(first.to[0]);
    expect(made.responseOps).toHaveLength(1);
  });

  it("leaves an endpoint that outlier detection has ejected", () => {
    const policy = { outlier: fakeOutlier({ consecutiveErrors: 1, maxEjectionRatio: 1 }) };
    const test = testEngine({
      clusters: { cart: { endpoints: CARTS, policy } },
      hosts: { cart: [{ session: COOKIE }] },
    });
    const call = (headers: string[] = []) => {
      const { call: made, exchange } = test.send("cart", { headers });
      test.clock.advance(100);
      return { to: exchange.attempts[0]?.endpoint.endpoint.id, mark: made.responseOps[0]?.add[0]?.[1] ?? "" };
    };
    const first = call();
    const cookie = ["cookie", first.mark.split(";")[0]!];
    test.network.script(first.to!, answers(500));
    expect(call(cookie).to).toBe(first.to);
    const next = call(cookie);
    expect(next.to).not.toBe(first.to);
    expect(next.mark).toMatch(/^cart=/);
  });

  it("ends after its absolute and its idle time, and a permanent cookie lives as long", () => {
    const policy = { ...COOKIE, permanent: true, absoluteMs: 3_600_000, idleMs: 600_000 };
    const { call, withCookie, clock } = setup(policy);
    const first = call();
    expect(first.mark![1]).toMatch(/^cart=[\w-]{16}\.\w+\.\w+; Max-Age=3600; Path=\/shop; HttpOnly$/);
    let { mark } = first;
    for (let minute = 5; minute <= 55; minute += 5) {
      clock.advance(300_000);
      const again = withCookie(mark![1]);
      expect(again.to).toEqual(first.to);
      mark = again.mark;
      expect(mark![1]).toContain(`Max-Age=${3_600 - secondsBetween(first.mark![1], mark![1])};`);
    }
    clock.advance(600_000);
    const over = withCookie(mark![1]);
    expect(over.mark![1]).toContain("Max-Age=3600");
    const idle = withCookie(over.mark![1]);
    clock.advance(600_000);
    expect(withCookie(idle.mark![1]).mark![1]).toContain("Max-Age=3600");
  });

  it("leaves answers alone that no endpoint gave, and rules without it", () => {
    const { call } = setup(COOKIE, { fault: { delayRatio: 0, delayMs: 0, abortRatio: 1, abortStatus: 418 } });
    expect(call().ops).toEqual([]);
    const none = testEngine({ clusters: { cart: CARTS } });
    const { call: made } = none.send("cart", { headers: ["cookie", "cart=AAAAAAAAAAAAAAAA"] });
    none.clock.advance(100);
    expect([made.session, made.responseOps]).toEqual([undefined, []]);
  });
});

/** Since the first mark was made, by what the second says of its last use. */
function secondsBetween(first: string, second: string): number {
  const used = (line: string): number => Number.parseInt(line.split(";")[0]!.split(".").at(-1)!, 36);
  return used(second) - used(first);
}
