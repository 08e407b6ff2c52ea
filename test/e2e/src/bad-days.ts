/** The bookshop's bad days, and what must be true of them at any rate. */

import { afterEach, describe, expect, it } from "vitest";
import { DevProcess, isAlive } from "./dev-process.js";
import { expectNoHarm } from "./no-harm.js";
import { count, isFailed, type RequestLog, readRequestLog } from "./request-log.js";

/** Longest that a session takes, in ms; it ends itself before. */
const BAD_DAYS_MS = 230_000;

/** @param rate requests/s that are wanted */
export function describeBadDays(rate: number): void {
  let dev: DevProcess | undefined;

  afterEach(() => dev?.dispose());

  describe(`the bookshop at ${rate} requests/s, 30 % of them orders`, () => {
    it(
      "loses no page and executes no order twice when replicas are killed, everything restarts and policy goes off",
      async () => {
        dev = new DevProcess(["dev", "-n", "shop", "--script", "test/e2e/fixtures/bad-days.mjs"], {
          env: { E2E_RATE: String(rate) },
        });
        await expectSurvived(dev, rate);
      },
      BAD_DAYS_MS,
    );
  });
}

async function expectSurvived(dev: DevProcess, rate: number): Promise<void> {
  const { code } = await dev.ended;
  expect(code, dev.text.slice(-3_000)).toBe(0);
  const log = readRequestLog(/^log (.*)$/m.exec(dev.text)?.[1] ?? "");
  expectNoHarm(log, ["calm", "kill", "rolling", "off"]);
  expectCut(log);
  const quiet = log.requests.filter((request) => ["calm", "off"].includes(request.phase) && isFailed(request));
  expect(quiet, "failed while nothing died").toEqual([]);
  const sent = Number(/^rate (\d+)$/m.exec(dev.text)?.[1]);
  if (sent < rate)
    console.warn(`NOT AT FULL RATE: this machine could not keep up with ${rate} requests/s, so ${sent} were sent`);
  const found = count(log.requests, ({ phase }) => phase === "rolling") / seconds(log, "rolling");
  expect(Math.abs(found / sent - 1)).toBeLessThan(0.05);
  expect(dev.pids.filter(isAlive)).toEqual([]);
}

/** Both that were killed had work at hand. */
function expectCut({ requests, notes }: RequestLog): void {
  expect(notes.map(({ killed }) => killed.split("/")[0])).toEqual(["reviews", "stock"]);
  const hit = requests.filter(({ phase, cut }) => phase === "kill" && cut.length > 0);
  for (const { killed } of notes) {
    const [service, pid] = killed.split("/");
    const there = hit.filter(({ cut }) =>
      cut.some((where) => where.startsWith(`${service}/`) && where.endsWith(`/${pid}`)),
    );
    expect(there.length, `requests in flight at ${killed} when it died`).toBeGreaterThan(0);
  }
}

function seconds({ requests }: RequestLog, phase: string): number {
  const times = requests.filter((request) => request.phase === phase).map(({ t }) => t);
  return (Math.max(...times) - Math.min(...times)) / 1_000;
}
