import { describe, expect, it } from "vitest";
import { explain } from "../explain/explain.js";
import { testEngine } from "../testing/test-engine.js";
import { snapshotInUse } from "./snapshot-in-use.js";

describe("explain, in a process that has looked names up", () => {
  it("tells what they stand for, and before that, that the process will look them up", async () => {
    const clusters = {
      api: { endpoints: ["api.test:443"], resolution: "dns" },
      cloud: { endpoints: ["cloud.test:443"], resolution: "dnsRoundRobin" },
      wild: { endpoints: ["*.wild.test:80"], resolution: "dynamicDns", host: "*.wild.test" },
      plain: ["10.0.0.9:80"],
    } as const;
    const { engine, store, resolver, clock, send } = testEngine({ clusters });
    resolver.answer("api.test", ["10.0.0.2", "10.0.0.1"]).answer("cloud.test", ["2001:db8::1", "10.0.0.3"]);
    resolver.answer("wild", ["10.0.0.4"]);
    const story = (host: string) => {
      const { destinations, steps } = explain(snapshotInUse(store.current!, engine.clusters), { host });
      return [destinations[0]?.endpoints, destinations[0]?.lookedUp, steps.at(-1)?.replace(/^.*weight 1, /, "")];
    };
    expect(story("api")).toEqual([1, [], "endpoints: 1 (api.test:443: looked up by the process that calls)"]);
    expect(story("wild")[2]).toBe("endpoints: 1 (the request's own host, looked up by the process that calls)");
    for (const host of Object.keys(clusters)) send(host);
    await clock.advanceAsync(5);
    expect(story("api")).toEqual([
      2,
      ["10.0.0.1:443", "10.0.0.2:443"],
      "endpoints: 2 (looked up: 10.0.0.1:443, 10.0.0.2:443)",
    ]);
    expect(story("cloud")[2]).toBe("endpoints: 1 (looked up: [2001:db8::1]:443)");
    expect(story("wild")[2]).toBe("endpoints: 1 (looked up: 10.0.0.4:80)");
    expect(story("plain")).toEqual([1, [], "endpoints: 1"]);
  });

  it("tells of a name that turned out to have no address", async () => {
    const { engine, store, clock, send } = testEngine({
      clusters: { api: { endpoints: ["api.test:443"], resolution: "dns" } },
    });
    send("api");
    await clock.advanceAsync(5);
    const { steps } = explain(snapshotInUse(store.current!, engine.clusters), { host: "api" });
    expect(steps.at(-1)).toContain("without an endpoint now: 503 until one is there");
  });
});
