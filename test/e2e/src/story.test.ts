import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DevProcess, isAlive, startCommand } from "./dev-process.js";
import { expectNoHarm } from "./no-harm.js";
import {
  count,
  isFailed,
  isOrder,
  isPage,
  type LoggedRequest,
  type RequestLog,
  readRequestLog,
} from "./request-log.js";

let dev: DevProcess;
let log: RequestLog;
let summary: Readonly<
  Record<string, Readonly<Record<string, number>> & { readonly hers?: object; readonly others?: object }>
>;
let tookMs = 0;

beforeAll(async () => {
  const startedAt = performance.now();
  dev = new DevProcess(startCommand());
  const { code } = await dev.ended;
  tookMs = performance.now() - startedAt;
  expect(code, dev.text.slice(-3_000)).toBe(0);
  const file = /^Raw log: (.*)$/m.exec(dev.text)?.[1] ?? "";
  log = readRequestLog(file);
  summary = JSON.parse(readFileSync(join(dirname(file), "summary.json"), "utf8"));
}, 230_000);

afterAll(() => dev.dispose());

const during = (phase: string): LoggedRequest[] => log.requests.filter((request) => request.phase === phase);
const pages = (phase: string): LoggedRequest[] => during(phase).filter(isPage);
const share = (of: readonly LoggedRequest[], version: string): number =>
  count(of, (page) => page.version === version) / count(of, (page) => page.version !== "");
/** 4.5 standard deviations of a share drawn `n` times: wrong by chance once in 150,000 runs. */
const tolerance = (expected: number, n: number): number => 4.5 * Math.sqrt((expected * (1 - expected)) / n);

function expectShare(found: number, expected: number, n: number): void {
  expect(Math.abs(found - expected), `${found} instead of ${expected}, ${n} drawn`).toBeLessThan(
    tolerance(expected, n),
  );
}

describe("npm start", () => {
  it("ends by itself within 120 s, where the machine has breath for it, and leaves no process", () => {
    const isFull = summary["traffic"]?.["perSecond"] === 300;
    expect(tookMs).toBeLessThan(isFull ? 120_000 : 210_000);
    expect(dev.pids.length).toBeGreaterThanOrEqual(10 + 2 + 9); // the first ones, the two killed, all but the load again
    expect(dev.pids.filter(isAlive)).toEqual([]);
  });

  it("prints plain lines without a terminal", () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(dev.text).not.toMatch(/[\x00-\x08\x0b-\x1f]/);
    for (let step = 1; step <= 7; step++) expect(dev.text).toContain(`\n${step}/7 `);
    expect(dev.text).toMatch(/figures {3}.*load>web \d+\/s [\d.]+% p50 .* p95 .* p99 /);
  });

  it("counts what the raw log says, figure by figure", () => {
    for (const [phase, told] of Object.entries(summary)) {
      if (phase === "total" || phase === "traffic") continue;
      const all = during(phase);
      const gets = all.filter(isPage);
      const posts = all.filter(isOrder);
      const reached = gets.filter(({ attempts }) => (attempts["reviews"] ?? 0) > 0);
      const times = all.map(({ ms }) => ms).sort((a, b) => a - b);
      const ratio = (part: number, whole: number) => (whole === 0 ? 0 : part / whole);
      expect(told, phase).toMatchObject({
        requests: all.length,
        gets: gets.length,
        posts: posts.length,
        failedGets: count(gets, isFailed),
        failedPosts: count(posts, isFailed),
        unknownPosts: count(posts, (post) => isFailed(post) && post.error.startsWith("UPSTREAM_RESET: ")),
        unknownExecuted: count(posts, (post) => isFailed(post) && post.executed > 0),
        doublePosts: count(posts, ({ executed }) => executed > 1),
        executedPosts: count(posts, ({ executed }) => executed > 0),
        successRatio: ratio(
          count(all, (each) => !isFailed(each)),
          all.length,
        ),
        getSuccessRatio: ratio(
          count(gets, (each) => !isFailed(each)),
          gets.length,
        ),
        v2Share: ratio(
          count(gets, ({ version }) => version === "v2"),
          count(gets, ({ version }) => version !== ""),
        ),
        amplification: ratio(
          reached.reduce((sum, { attempts }) => sum + (attempts["reviews"] ?? 0), 0),
          reached.length,
        ),
        cut: count(all, ({ cut }) => cut.length > 0),
        p50Ms: times[Math.ceil(times.length * 0.5) - 1],
        p99Ms: times[Math.ceil(times.length * 0.99) - 1],
      });
    }
    const measured = log.requests.filter(({ phase }) => summary[phase] !== undefined);
    expect(count(measured, ({ executed }) => executed > 1)).toBe(0);
    expect(dev.text).toContain(`The bookshop: ${measured.length} requests in all steps, 0 orders carried out twice.`);
  });

  it("prints the figures that it counted", () => {
    const percent = (ratio: number) => `${(ratio * 100).toFixed(1)} %`;
    const [kill, rolling, off] = [during("kill"), during("rolling"), pages("off")];
    const half = pages("half").filter(({ user }) => user !== "maria");
    for (const text of [
      `canary: v1 ${percent(share(pages("canary"), "v1"))}, v2 ${percent(share(pages("canary"), "v2"))} of ${pages("canary").length} pages`,
      `half: v2 ${percent(share(half, "v2"))} of the pages`,
      `kill: ${count(kill, ({ cut }) => cut.length > 0)} requests were on the killed processes; 0 of ${count(kill, isPage)} pages failed, 0 of ${count(kill, isOrder)} orders were carried out twice.`,
      `rolling: 9 processes replaced; 0 of ${count(rolling, isPage)} pages and ${count(rolling, (each) => isOrder(each) && isFailed(each))} of ${count(rolling, isOrder)} orders failed, 0 orders`,
      `off: no rules, any replica answers: v2 ${percent(share(off, "v2"))} of the pages; 0 failed.`,
    ]) {
      expect(dev.text).toContain(text);
    }
  });

  it("splits 90/10 and 50/50, and thirds with policy off", () => {
    const canary = pages("canary");
    expectShare(share(canary, "v2"), 0.1, canary.length);
    for (const phase of ["half", "on"]) {
      const others = pages(phase).filter(({ user }) => user !== "maria");
      expectShare(share(others, "v2"), 0.5, others.length);
    }
    const off = pages("off");
    expectShare(share(off, "v2"), 1 / 3, off.length);
  });

  it("sends every page of one shopper to v2 while the rule stands, and only while", () => {
    for (const phase of ["maria", "half", "kill", "on"]) {
      const hers = pages(phase).filter(({ user }) => user === "maria");
      expect(hers.length, phase).toBeGreaterThan(5);
      expect(new Set(hers.filter((page) => !isFailed(page)).map(({ version }) => version)), phase).toEqual(
        new Set(["v2"]),
      );
    }
    expect(
      share(
        pages("canary").filter(({ user }) => user === "maria"),
        "v1",
      ),
    ).toBeGreaterThan(0.5);
  });

  it("hits requests in flight with the kill, loses no page and executes no order twice", () => {
    const kill = during("kill");
    const hit = kill.filter(({ cut }) => cut.length > 0);
    expect(hit.length).toBeGreaterThan(0);
    expect(log.notes).toHaveLength(2);
    for (const { killed } of log.notes) {
      const pid = killed.split("/")[1] ?? "";
      expect(
        hit.some(({ cut }) => cut.some((where) => where.endsWith(`/${pid}`))),
        `a request cut at ${killed}`,
      ).toBe(true);
    }
    expect(count(kill, (each) => isPage(each) && isFailed(each))).toBe(0);
    expect(count(kill, ({ executed }) => executed > 1)).toBe(0);
    for (const order of kill.filter((each) => isOrder(each) && isFailed(each))) {
      expect(order.error).toMatch(/^UPSTREAM_RESET: .+/);
    }
    expect(count(kill, isOrder) / kill.length).toBeCloseTo(0.3, 2);
  });

  it("absorbs 503s by retries, at the price that arithmetic says", () => {
    const without = pages("503 without retries");
    const retried = pages("503 with retries");
    const v2Share = 0.5 * 0.95 + 0.05; // maria is one shopper in twenty
    expectShare(count(without, isFailed) / without.length, 0.3 * v2Share, without.length);
    // One of v2's pages fails when all four attempts do.
    expectShare(count(retried, isFailed) / retried.length, 0.3 ** 4 * v2Share, retried.length);
    const arrivals = retried.reduce((sum, { attempts }) => sum + (attempts["reviews"] ?? 0), 0);
    const expected = 1 + v2Share * (0.3 + 0.3 ** 2 + 0.3 ** 3);
    expect(Math.abs(arrivals / retried.length - expected)).toBeLessThan(0.1);
    expect(arrivals / retried.length).toBeGreaterThan(1.05);
  });

  it("loses nothing while every process is replaced and policy is switched", () => {
    expectNoHarm(log, ["kill", "rolling"]);
    for (const phase of ["canary", "half", "off", "on"]) expect(during(phase).filter(isFailed), phase).toEqual([]);
  });

  it("removes the folder of the session and keeps the log", () => {
    expect(existsSync(/^Raw log: (.*)$/m.exec(dev.text)?.[1] ?? "")).toBe(true);
    const sources = new Set(log.requests.map(({ id }) => id));
    expect(sources.size).toBe(log.requests.length);
  });
});
