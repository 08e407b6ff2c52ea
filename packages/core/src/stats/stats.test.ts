import { describe, expect, it } from "vitest";
import { seededRandom } from "../runtime/random.js";
import { answers, cuts, inTurn, resets, silent } from "../testing/behaviour.js";
import { testEngine } from "../testing/test-engine.js";
import { Histogram } from "./histogram.js";

const A = "10.0.0.1:80";

describe("CallStats", () => {
  it("counts each call once, as success, failure or given up", async () => {
    const { clock, engine, network, send } = testEngine({
      clusters: { reviews: [A] },
      hosts: { reviews: [{ timeoutMs: 500, retry: { on: ["reset"], maxAttempts: 2, backoffBaseMs: 0 } }] },
    });
    const script = inTurn(answers(200), answers(404), answers(503), cuts(), silent(), resets(), answers(204), silent());
    network.script(A, script);
    for (let n = 0; n < 5; n++) {
      send("reviews"); // 200, 404, 503, cut, timeout
      await clock.advanceAsync(600);
    }
    send("reviews"); // reset, then 204
    await clock.advanceAsync(600);
    const { call } = send("reviews");
    call.abort(new Error("enough"));
    expect(engine.clusters.all()[0]!.stats.read()).toMatchObject({
      calls: 7,
      successes: 3,
      failures: 3,
      aborted: 1,
      retries: 1,
      replays: 0,
      inFlight: 0,
    });
  });
});

describe("Histogram", () => {
  it("gives quantiles within 5 % of the truth", () => {
    const histogram = new Histogram();
    const random = seededRandom(3);
    const samples = Array.from({ length: 20_000 }, () => 0.05 * 10 ** (random.next() * 4));
    for (const ms of samples) histogram.record(ms);
    samples.sort((a, b) => a - b);
    for (const q of [0.01, 0.5, 0.9, 0.99]) {
      const truth = samples[Math.ceil(q * samples.length) - 1]!;
      expect(Math.abs(histogram.quantile(q) / truth - 1)).toBeLessThan(0.05);
    }
    expect(histogram.count).toBe(20_000);
    expect(Math.abs(histogram.sum / samples.reduce((sum, ms) => sum + ms, 0) - 1)).toBeLessThan(1e-9);
  });

  it("takes anything, and has 0 for nothing", () => {
    const histogram = new Histogram();
    expect(histogram.quantile(0.5)).toBe(0);
    for (const ms of [0, -1, 1e-9, 1e12]) histogram.record(ms);
    expect(histogram.count).toBe(4);
    expect(histogram.quantile(1)).toBeGreaterThan(100_000);
  });
});
