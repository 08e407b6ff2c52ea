import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Protocol } from "./ask.js";
import { Registry } from "./registry.js";
import { comparable, PAGE, restartsPage, tableOf } from "./restarts-page.js";
import { RATE, type Restarted, rollingRestarts } from "./rolling-restart.js";

const FRAMEWORKS: readonly (readonly [framework: string, protocol: Protocol])[] = [
  ["http", "http"],
  ["http2", "http2"],
  ["Express 4", "http"],
  ["Express 5", "http"],
  ["Fastify 5", "http"],
  ["Koa", "http"],
  ["Hono", "http"],
  ["NestJS on Express", "http"],
  ["NestJS on Fastify", "http"],
];

const registry = new Registry();
const restarted = new Map<string, Restarted>();

/** For the figures of the page: each framework alone gets all of the rate. Else all of them share it, in a third of the time. */
const alone = process.env["INMESH_RESTARTS"] === "alone";
const groups = alone ? FRAMEWORKS.map((each) => [each]) : [FRAMEWORKS];

beforeAll(async () => {
  for (const group of groups) {
    for (const each of await rollingRestarts(registry, group)) restarted.set(each.framework, each);
  }
}, 240_000);
afterAll(() => registry[Symbol.dispose]());

it.each(FRAMEWORKS)("%s: two replicas are replaced in turn under load, and no GET and no POST fails", (framework) => {
  const { failures, troubles, sent, pids, served } = restarted.get(framework)!; // beforeAll went through all of them
  expect([failures, troubles]).toEqual([[], []]);
  expect(Math.min(sent.GET, sent.POST)).toBeGreaterThan(RATE / FRAMEWORKS.length);
  expect(served.map(([pid]) => pid).sort()).toEqual([...pids].sort()); // each of the four had its share
});

it("lists what came of it in docs/reference/restarts.md", () => {
  const rows = FRAMEWORKS.map(([name]) => ({ name, ...restarted.get(name)! }));
  const page = restartsPage(rows);
  console.log(tableOf(rows));
  if (process.env["INMESH_UPDATE_DOCS"] === "1") writeFileSync(PAGE, page);
  expect(comparable(readFileSync(PAGE, "utf8"))).toBe(comparable(page));
});
