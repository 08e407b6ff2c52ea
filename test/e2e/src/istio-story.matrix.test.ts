/** `npm start -- --story istio`: what its documents say is what its shoppers saw, counted from the raw log. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DevProcess, isAlive, startCommand } from "./dev-process.js";
import { isFailed, isPage, type LoggedRequest, readRequestLog } from "./request-log.js";

let dev: DevProcess;
let requests: readonly LoggedRequest[];

beforeAll(async () => {
  dev = new DevProcess([...startCommand(), "--story", "istio"]);
  const { code } = await dev.ended;
  expect(code, dev.text.slice(-3_000)).toBe(0);
  requests = readRequestLog(/^Raw log: (.*)$/m.exec(dev.text)?.[1] ?? "").requests;
}, 100_000);

afterAll(() => dev.dispose());

const pages = (phase: string): LoggedRequest[] =>
  requests.filter((request) => request.phase === phase && isPage(request));

function versions(of: readonly LoggedRequest[]): string[] {
  return [...new Set(of.map(({ version }) => version))].sort();
}

describe("npm start -- --story istio", () => {
  it("ends by itself and leaves no process", () => {
    expect(dev.pids.length).toBe(8);
    expect(dev.pids.filter(isAlive)).toEqual([]);
  });

  it.each([
    ["all v1", { v1: 1 }],
    ["90/10", { v1: 0.9, v2: 0.1 }],
    ["80/20", { v1: 0.8, v2: 0.2 }],
    ["50 v3", { v1: 0.5, v3: 0.5 }],
  ])("splits %s by weight, and fails nobody", (phase, shares: Readonly<Record<string, number>>) => {
    const all = pages(phase);
    expect(all.filter(isFailed)).toEqual([]);
    expect(versions(all)).toEqual(Object.keys(shares));
    for (const [version, share] of Object.entries(shares)) {
      const found = all.filter((page) => page.version === version).length / all.length;
      // 4.5 standard deviations: wrong by chance once in 150,000 runs.
      expect(Math.abs(found - share), `${version}: ${found}`).toBeLessThanOrEqual(
        4.5 * Math.sqrt((share * (1 - share)) / all.length),
      );
    }
  });

  it("shows each user the version of the rule", () => {
    const by = (test: (user: string) => boolean) => versions(pages("by user").filter(({ user }) => test(user)));
    expect([by((user) => user === "maria"), by((user) => user === "shopper1")]).toEqual([["v2"], ["v3"]]);
    expect(by((user) => user !== "maria" && user !== "shopper1")).toEqual(["v1"]);
  });

  it("delays and aborts the calls of one user", () => {
    const hers = (phase: string) => pages(phase).filter(({ user }) => user === "maria");
    expect(hers("delay").length).toBeGreaterThan(0);
    expect(hers("delay").filter(({ ms }) => ms < 1_000)).toEqual([]);
    expect(pages("delay").filter(isFailed)).toEqual([]);
    expect(hers("abort").length).toBeGreaterThan(0);
    expect(hers("abort").filter((page) => !isFailed(page))).toEqual([]);
    expect(pages("abort").filter((page) => isFailed(page) && page.user !== "maria")).toEqual([]);
  });
});
