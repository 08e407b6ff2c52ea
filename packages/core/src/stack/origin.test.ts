import { expect, it } from "vitest";
import type { Engine } from "./engine.js";
import { isLoopback, Origins } from "./origin.js";

function engine(known: readonly string[], { refuses = false, snapshot = true } = {}): Engine & { lookups: number } {
  const fake = {
    lookups: 0,
    store: { current: snapshot ? { version: 1 } : undefined },
    refuses: () => refuses,
    excludes: () => false,
    rehearsal: { covers: (host: string) => host === "observed" },
    lookup: (host: string) => {
      fake.lookups += 1;
      return known.includes(host) ? {} : undefined;
    },
  };
  return fake as unknown as Engine & { lookups: number };
}

it.each([
  ["http://Reviews", "http", "reviews", 80, "reviews"],
  ["http://reviews:8080", "http", "reviews", 8080, "reviews:8080"],
  ["https://reviews", "https", "reviews", 443, "reviews"],
  ["https://reviews:80", "https", "reviews", 80, "reviews:80"],
  ["http://[::1]:9", "http", "::1", 9, "[::1]:9"],
])("parses %s", (origin, scheme, host, port, authority) => {
  expect(new Origins(engine([])).get(origin)).toMatchObject({ scheme, host, port, authority });
});

it.each(["ftp://a", "nonsense", "", "data:x"])("knows no origin in %j", (origin) => {
  expect(new Origins(engine([])).get(origin)).toBeUndefined();
});

it.each([
  ["localhost", true],
  ["a.localhost", true],
  ["127.1.2.3", true],
  ["::1", true],
  ["10.0.0.1", false],
  ["localhost.example.com", false],
  ["127.example.com", false],
])("isLoopback(%s) is %s", (host, expected) => {
  expect(isLoopback(host)).toBe(expected);
});

it.each([
  ["http://reviews", {}, "mesh"],
  ["http://other", {}, "pass"],
  ["http://other", { refuses: true }, "refuse"],
  ["http://localhost", { refuses: true }, "pass"],
  ["http://10.0.0.1", { refuses: true }, "refuse"],
  ["http://other", { snapshot: false }, "mesh"], // waits for the first snapshot
  ["http://localhost", { snapshot: false }, "pass"],
])("judges %s with %j as %s", (url, options, verdict) => {
  const origins = new Origins(engine(["reviews"], options));
  expect(origins.judge(origins.get(url)!)).toBe(verdict);
});

it.each([
  ["http://observed", true],
  ["http://other", false],
])("knows of %s whether policy has a word on it while it is passed on: %s", (url, expected) => {
  const origins = new Origins(engine([]));
  const origin = origins.get(url)!;
  expect([origins.judge(origin), origin.rehearsed]).toEqual(["pass", expected]);
});

it("looks a host up once per snapshot", () => {
  const fake = engine(["reviews"]);
  const origins = new Origins(fake);
  const origin = origins.get("http://reviews")!;
  for (let count = 0; count < 5; count++) origins.judge(origin);
  expect(fake.lookups).toBe(1);
  (fake.store as { current: unknown }).current = { version: 2 };
  origins.judge(origin);
  expect(fake.lookups).toBe(2);
});

it("stays bounded however many origins it is asked about", () => {
  const origins = new Origins(engine([]));
  const first = origins.get("http://host-0");
  expect(origins.get("http://host-0")).toBe(first);
  for (let count = 0; count < 2_000; count++) origins.get(`http://host-${count}`);
  expect(origins.get("http://host-0")).not.toBe(first);
});
