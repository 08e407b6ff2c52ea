import { describe, expect, it } from "vitest";
import { EventLog } from "./event-log.js";
import { PlainOutput } from "./plain-output.js";

function setup() {
  const written: string[] = [];
  const plain = new PlainOutput({ write: (text) => written.push(text) }, (_, text) => text);
  const events = new EventLog(() => 0);
  events.onEvent((event) => plain.event(event));
  return { plain, events, text: () => written.join("") };
}

describe("PlainOutput", () => {
  it("prints every event as a line, each with its speaker", () => {
    const { events, text } = setup();
    events.add("step", "1/7 first");
    events.add("say", "a sentence");
    events.add("output", "listening \x1b[2J", "web-1");
    events.add("error", "one\ntwo");
    expect(text()).toBe("\n1/7 first\n   a sentence\nweb-1     | listening \\u001b[2J\ninmesh    one\ninmesh    two\n");
  });

  it("prints the figures of what flows, and nothing when nothing does", () => {
    const { plain, text } = setup();
    const base = { from: "web", to: "reviews", success: 0.99996, p50Ms: 4.12, p95Ms: 9, p99Ms: 14.2, retries: 0.21 };
    const versions = ["v1", "v2"].map((version) => ({ version, share: 0.5 }));
    plain.figures([{ ...base, requestsPerSecond: 0, versions }]);
    plain.figures([{ ...base, requestsPerSecond: 210.4, versions }]);
    expect(text()).toBe("figures   web>reviews 210/s 99.99% p50 4.1ms p95 9.0ms p99 14ms retry 21% v1 50% v2 50%\n");
  });
});
