import { describe, expect, it } from "vitest";
import type { SessionEvent } from "./event-log.js";
import { ASCII, type ScreenModel, screenLines, UNICODE } from "./screen.js";
import { renderLine, wrapText } from "./styled-line.js";

const at = new Date(2026, 0, 1, 12, 0, 5).getTime();
const event = (kind: SessionEvent["kind"], text: string, source = ""): SessionEvent => ({ kind, at, source, text });
const replica = (pid: number, version = "") => ({ pid, port: 40_000 + pid, version, state: "ready" as const });

const MODEL: ScreenModel = {
  upMs: 64_000,
  policy: "on",
  fault: "",
  services: [
    { service: "reviews", instances: [replica(11, "v1"), replica(12, "v1"), replica(13, "v2"), replica(14, "v2")] },
    { service: "web", instances: [{ pid: 9, port: 0, version: "", state: "starting" }] },
  ],
  edges: [
    {
      from: "web",
      to: "reviews",
      requestsPerSecond: 210.4,
      success: 0.99996,
      p50Ms: 4.12,
      p95Ms: 12.4,
      p99Ms: 1_204,
      retries: 0.004,
      versions: [
        { version: "v1", share: 0.898 },
        { version: "v2", share: 0.102 },
      ],
    },
  ],
  events: [event("process", "first"), event("output", "up \x1b[2Jnow", "web-1"), event("answer", "last")],
  scripted: false,
  help: false,
};

const screen = (model: Partial<ScreenModel> = {}, columns = 80, rows = 24, glyphs = ASCII) =>
  screenLines({ ...MODEL, ...model }, columns, rows, glyphs).map((line) =>
    renderLine(line, columns, (_, text) => text),
  );

describe("screenLines", () => {
  it("shows services, calls and events in 80 columns", () => {
    expect(screen().map((line) => line.trimEnd())).toEqual([
      " inmesh dev   2 services, 5 processes   policy on                          1:04",
      " SERVICE  INSTANCES (process, port, version)",
      " reviews  * 11 :40011 v1   * 12 :40012 v1   * 13 :40013 v2   * 14 :40014 v2",
      " web      . 9",
      " CALLS           REQ/S SUCCESS    P50    P95    P99  RETRY  SHARE",
      " web > reviews     210  99.99%  4.1ms   12ms 1204ms   0.4%  v1 90% v2 10%",
      ` -- events ${"-".repeat(68)}`,
      " 12:00:05 first",
      " 12:00:05 web-1 | up \\u001b[2Jnow",
      " 12:00:05 last",
      " k kill  o policy off  f fault  w last request  ? help  q quit",
    ]);
  });

  it.each([
    [80, 24],
    [80, 10],
    [40, 24],
    [20, 5],
    [200, 60],
  ])("fits %d x %d, with the keys in the last line", (columns, rows) => {
    const events = Array.from({ length: 99 }, (_, n) => event("output", "x".repeat(300), `s${n}`));
    for (const scripted of [false, true]) {
      const story = [event("step", "1/7 a step"), event("say", "word ".repeat(60)), ...events];
      const lines = screen({ events: story, scripted }, columns, rows, UNICODE);
      expect(lines.length).toBeLessThanOrEqual(rows);
      expect(Math.max(...lines.map((line) => [...line].length))).toBeLessThanOrEqual(columns);
      expect(lines.at(-1)).toMatch(/^ k kill/);
    }
  });

  it("tells the story of the step under way above the events", () => {
    const events = [
      event("step", "old"),
      event("say", "gone"),
      event("step", "new"),
      event("process", "x"),
      event("say", "here"),
    ];
    const lines = screen({ events, scripted: true }).map((line) => line.trimEnd());
    expect(lines.slice(6, 10)).toEqual([" new", "   here", ` -- events ${"-".repeat(68)}`, " 12:00:05 x"]);
  });

  it("says what is switched, and what the key would do next", () => {
    const lines = screen({ policy: "off", fault: "fault: reviews 30% 503" });
    expect(lines[0]).toContain("policy OFF   fault: reviews 30% 503");
    expect(lines.at(-1)).toContain("o policy on  f stop fault");
  });

  it("shows the keys on demand", () => {
    expect(screen({ help: true }).join("\n")).toContain("w  what happened to the last request?");
  });
});

describe("renderLine", () => {
  it("cuts before any style is applied, and marks the cut", () => {
    const spans = [{ text: "abc", style: "bold" as const }, { text: "defgh" }];
    const paint = (_: unknown, text: string) => `<${text}>`;
    expect([8, 5, 3, 2].map((width) => renderLine(spans, width, paint))).toEqual([
      "<abc>defgh",
      "<abc>d~",
      "<ab~>",
      "<a~>",
    ]);
  });
});

describe("wrapText", () => {
  it("breaks at blanks, and in words that are too long", () => {
    expect(wrapText("one two abcdefgh x", 5)).toEqual(["one", "two", "abcde", "fgh x"]);
  });
});
