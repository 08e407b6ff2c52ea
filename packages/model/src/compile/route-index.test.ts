import { describe, expect, it } from "vitest";
import type { HttpMatchSpec } from "../kind/virtual-service.js";
import type { Route } from "../snapshot/route.js";
import { request } from "./fixture.test.helper.js";
import { RequestMatch } from "./request-match.js";
import { SAFE_RETRY } from "./retry.js";
import { defaultRoute } from "./route.js";
import { createRouteFinder, type IndexedRoute, RouteIndex } from "./route-index.js";

function routesOf(specs: readonly (HttpMatchSpec | undefined)[]): IndexedRoute[] {
  return specs.map((spec, index) => {
    const { route } = defaultRoute({ cluster: "c", host: "h", port: 80, subset: "" }, SAFE_RETRY);
    return { route: { ...route, name: String(index) }, match: spec && new RequestMatch(spec) };
  });
}

function scan(routes: readonly IndexedRoute[], asked: ReturnType<typeof request>): Route | undefined {
  return routes.find(({ match }) => match === undefined || match.matches(asked))?.route;
}

/** Mulberry32: small, and the same everywhere. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const SEGMENTS = ["a", "A", "ab", "aB", "b", "api", "", "%C3%A9", "é", "v1", "a.b", "x y"];

function randomCase(next: () => number) {
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(next() * items.length)]!; // never empty
  const path = () => `/${Array.from({ length: Math.floor(next() * 4) }, () => pick(SEGMENTS)).join("/")}`;
  const uri = () => {
    const text = next() < 0.05 ? "" : path();
    const roll = next();
    return roll < 0.4
      ? { prefix: text }
      : roll < 0.8
        ? { exact: text }
        : { regex: pick(["/a.*", ".*b", "/api/v[0-9]", "/a/?b*", "^/ab.*", "(?i)/A.*", "/a/.*|/b.*", "/a\\.b/?.*"]) };
  };
  const spec = (): HttpMatchSpec | undefined => {
    if (next() < 0.02) return undefined;
    return {
      ...(next() < 0.85 && { uri: uri() }),
      ...(next() < 0.3 && { ignoreUriCase: true }),
      ...(next() < 0.4 && { headers: { x: pick([{ exact: "1" }, { exact: "2" }, {}]) } }),
      ...(next() < 0.2 && { queryParams: { q: { exact: "1" } } }),
      ...(next() < 0.2 && { method: { exact: "POST" } }),
    };
  };
  return {
    spec,
    asked: () =>
      request(path() + pick(["", "?", "?q=1", "?q=2&q=1", "/?x"]), {
        method: pick(["GET", "POST"]),
        headers: pick([{}, { x: "1" }, { x: ["2", "1"] }]),
      }),
  };
}

describe("RouteIndex", () => {
  it("finds in 200 random tables what a scan in order finds", () => {
    const next = seeded(20_261_121);
    const { spec, asked } = randomCase(next);
    let found = 0;
    const wrong: string[] = [];
    for (let table = 0; table < 200; table++) {
      const routes = routesOf(Array.from({ length: 1 + Math.floor(next() * 40) }, spec));
      const index = new RouteIndex(routes);
      for (let turn = 0; turn < 40; turn++) {
        const one = asked();
        const expected = scan(routes, one);
        if (expected !== undefined) found += 1;
        if (index.find(one) !== expected) wrong.push(`table ${table}: ${one.method} ${one.path}`);
      }
    }
    expect(wrong).toEqual([]);
    expect(found).toBeGreaterThan(3_000); // of 8,000: most requests have a route to find
  });

  it.each([
    ["/foo", "0"],
    ["/foobar", "0"], // a raw string prefix
    ["/fo", "2"],
    ["/fo?x=/foo", "2"],
    ["/BAR/x", "1"],
    ["/", "3"],
    ["/other", "3"],
  ])("sends %s to the first route that takes it", (path, name) => {
    const specs = [
      { uri: { prefix: "/foo" } },
      { uri: { prefix: "/bar" }, ignoreUriCase: true },
      { uri: { exact: "/fo" } },
      undefined,
      { uri: { prefix: "/" } },
    ];
    expect(createRouteFinder(routesOf(specs))(request(path))?.name).toBe(name);
  });

  it("keeps the order between a long prefix that comes later and a short one that comes first", () => {
    const find = createRouteFinder(routesOf([{ uri: { prefix: "/a" } }, { uri: { prefix: "/a/b/c" } }, {}, {}, {}]));
    expect(find(request("/a/b/c/d"))?.name).toBe("0");
  });
});
