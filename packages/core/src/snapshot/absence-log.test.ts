import { describe, expect, it } from "vitest";
import { FakeClock } from "../runtime/fake-clock.js";
import { AbsenceLog } from "./absence-log.js";
import type { SourceStatus } from "./source.js";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

function setup(direct = false) {
  const clock = new FakeClock();
  let status: SourceStatus = { state: "connecting", since: 0 };
  const lines: string[] = [];
  const say = (level: string) => (message: string) => lines.push(`${clock.now() / 1_000} ${level} ${message}`);
  const log = new AbsenceLog({
    clock,
    direct,
    status: () => status,
    registry: () => "consul://127.0.0.1:8500",
    meanwhile: () => "What it said last stays in force",
    warn: say("warn"),
    info: say("info"),
  });
  const lost = (reason = "connection refused.") => {
    status = { state: "stale", since: clock.now(), reason };
  };
  const back = (lagMs = 0) => {
    status = { state: "fresh", since: clock.now(), lagMs };
  };
  /** Seconds at which a warning was written. */
  const warnings = () => lines.flatMap((line) => (line.includes(" warn ") ? Number(line.split(" ")[0]) : []));
  return { clock, lines, log, lost, back, warnings };
}

describe("AbsenceLog", () => {
  it("says once that the registry is lost, why, and what is in force; and once that it is back, after how long", () => {
    const { clock, lines, lost, back } = setup();
    back();
    clock.advance(2_500);
    lost();
    clock.advance(40_000);
    back();
    clock.advance(HOUR_MS);
    expect(lines).toEqual([
      "3 warn the registry consul://127.0.0.1:8500 is away for 1 s: connection refused. What it said last stays in force",
      "43 info the registry consul://127.0.0.1:8500 is back after 41 s",
    ]);
  });

  it("reminds at growing intervals: a minute, two, four, up to an hour", () => {
    const { clock, warnings, lines, lost } = setup();
    lost();
    clock.advance(5 * HOUR_MS);
    const minutes = warnings().map((second) => Math.floor(second / 60));
    expect(minutes).toEqual([0, 1, 3, 7, 15, 31, 63, 123, 183, 243]);
    expect(lines.at(-1)).toContain("is away for 4 h");
  });

  it("does not flood when the registry comes and goes", () => {
    const { clock, lines, warnings, lost, back } = setup();
    for (let turn = 0; turn < 600; turn++) {
      lost();
      clock.advance(3_000);
      back();
      clock.advance(3_000);
    } // for an hour
    expect(warnings().length).toBeLessThanOrEqual(7);
    expect(lines.length - warnings().length).toBe(warnings().length);
  });

  it("begins anew after ten quiet minutes, and not before", () => {
    const { clock, warnings, lost, back } = setup();
    const absence = () => {
      lost();
      clock.advance(5_000);
      back();
    };
    absence();
    clock.advance(30_000);
    absence(); // within a minute of the first line
    clock.advance(11 * MINUTE_MS);
    absence();
    clock.advance(11 * MINUTE_MS);
    absence();
    expect(warnings()).toEqual([1, 701, 1_366]);
  });

  it("says that a registry is behind which answers without its leader", () => {
    const { clock, lines, back } = setup();
    back(9_999);
    clock.advance(5_000);
    expect(lines).toEqual([]);
    back(12_000);
    clock.advance(1_000);
    back();
    clock.advance(1_000);
    expect(lines).toEqual([
      "6 warn the registry consul://127.0.0.1:8500 is behind: the server that answers has not heard of its leader for 12 s. What it said last stays in force",
      "7 info the registry consul://127.0.0.1:8500 is back after 13 s",
    ]);
  });

  it("says that a registry has not answered at all since the start", () => {
    const { clock, lines, back } = setup();
    clock.advance(4_000);
    expect(lines).toEqual([]);
    clock.advance(1_000);
    back();
    clock.advance(1_000);
    expect(lines).toEqual([
      "5 warn the registry consul://127.0.0.1:8500 has not answered for 5 s. What it said last stays in force",
      "6 info the registry consul://127.0.0.1:8500 is back after 6 s",
    ]);
  });

  it("does not call one away that is read directly and late at the start, and still does when it cannot be read", () => {
    const { clock, lines, lost } = setup(true);
    clock.advance(60_000);
    expect(lines).toEqual([]);
    lost("no such folder.");
    clock.advance(1_000);
    expect(lines).toHaveLength(1);
  });

  it("leaves no timer behind", () => {
    const { clock, log } = setup();
    log.close();
    expect(clock.pending).toBe(0);
  });
});
