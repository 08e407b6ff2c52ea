import pRetry, { type Options } from "p-retry";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { MeshError } from "../errors.js";
import { seededRandom } from "../runtime/random.js";
import { answers, inTurn, queues, refuses, resets, type Script, silent, stale } from "../testing/behaviour.js";
import { type FakeRoute, fakeRetry } from "../testing/fake-snapshot.js";
import { type TestCallOptions, testEngine } from "../testing/test-engine.js";
import { backoffMs } from "./retry.js";

vi.mock("p-retry", async (original) => {
  const real = await original<{ default: typeof pRetry }>();
  return { ...real, default: vi.fn(real.default) };
});
afterEach(() => vi.mocked(pRetry).mockClear());

const A = "10.0.0.1:80";
const B = "10.0.0.2:80";
const C = "10.0.0.3:80";

function setup(
  retry: NonNullable<FakeRoute["retry"]>,
  script: Script | ReturnType<typeof answers>,
  route: FakeRoute = {},
) {
  const test = testEngine({ clusters: { reviews: [A, B, C] }, hosts: { reviews: [{ retry, ...route }] } });
  test.network.script("*", script);
  /** One whole call. */
  const call = async (options?: TestCallOptions) => {
    const sent = test.send("reviews", options);
    await test.clock.advanceAsync(5_000);
    return { ...sent, endpoints: sent.exchange.attempts.map(({ endpoint }) => endpoint.endpoint.id) };
  };
  return { ...test, callAndWait: call };
}

describe("retry", () => {
  it("throws a retriable answer away and tries elsewhere", async () => {
    const { callAndWait, engine, network } = setup({ on: ["5xx"] }, inTurn(answers(503), answers(500), answers(200)));
    const { call, exchange, endpoints } = await callAndWait();
    expect(exchange.events).toEqual(["head 200", "end"]);
    expect(new Set(endpoints).size).toBe(3);
    expect([call.attempts, call.noRetry, call.status, network.open]).toEqual([3, undefined, 200, 0]);
    expect(network.written.map(({ headers }) => headers)).toEqual([
      [],
      ["x-envoy-attempt-count", "2", "x-inmesh-attempts-spent", "1"],
      ["x-envoy-attempt-count", "3", "x-inmesh-attempts-spent", "2"],
    ]);
    expect(engine.clusters.all()[0]!.stats.read()).toMatchObject({ calls: 1, successes: 1, retries: 2, inFlight: 0 });
  });

  it("gives the caller the last answer when attempts are used up, and says so", async () => {
    const { callAndWait, network } = setup({ on: ["5xx"] }, answers(503));
    const { call, exchange } = await callAndWait();
    expect([exchange.events, network.written.length]).toEqual([["head 503", "end"], 3]);
    expect([call.noRetry, call.error]).toEqual(["attempts_exhausted", undefined]);
  });

  it("tells the whole story when every attempt failed", async () => {
    const { callAndWait } = setup({ on: ["connect-failure"], backoffBaseMs: 0 }, refuses());
    const { exchange, endpoints } = await callAndWait({ path: "/a?b" });
    const error = exchange.error as MeshError;
    expect(error.message).toBe(
      "GET http://reviews/a failed: " +
        endpoints
          .map(
            (id, index) =>
              `attempt ${index + 1} to ${id} could not connect, nothing was sent: connect ECONNREFUSED ${id} after 0 ms`,
          )
          .join("; ") +
        ". All 3 attempts that the rule allows were made. (CONNECT_FAILED)",
    );
    expect(error).toMatchObject({
      code: "CONNECT_FAILED",
      status: 503,
      origin: "remote",
      attempt: 3,
      cluster: "reviews",
    });
    expect(error.cause).toMatchObject({ code: "ECONNREFUSED" });
  });

  it("sets no reason while it goes on, and the right one when it does not", async () => {
    const reason = async (retry: FakeRoute["retry"], script: Script, options?: TestCallOptions) =>
      (await setup(retry!, script).callAndWait(options)).call.noRetry;
    expect(await reason({ on: ["5xx"] }, inTurn(resets(), answers(200)))).toBeUndefined();
    expect(await reason({ on: ["5xx"] }, inTurn(resets(), answers(404)))).toBeUndefined(); // an answer, not a failure
    expect(await reason({ on: ["5xx"] }, inTurn(answers(500)))).toBe("attempts_exhausted");
    expect(await reason({ on: ["connect-failure"] }, inTurn(resets()))).toBe("not_retriable");
    expect(await reason({ on: ["connect-failure"] }, inTurn(answers(500)))).toBe("not_retriable");
    expect(await reason({ on: ["reset"] }, inTurn(resets()), { method: "POST" })).toBe("not_idempotent");
    expect(await reason({ on: ["reset"] }, inTurn(resets()), { replayable: false })).toBe("body_not_replayable");
    expect(await reason({}, inTurn(answers(500)))).toBe("retries_off");
    expect(await reason({}, inTurn(resets()))).toBe("retries_off");
    expect(await reason({}, inTurn(answers(404)))).toBeUndefined();
  });

  describe("R1: what may have been carried out is not sent twice", () => {
    it.each<[method: string, headers: readonly string[], bad: ReturnType<typeof answers>, attempts: number]>([
      ["GET", [], resets(), 2],
      ["HEAD", [], resets(), 2],
      ["PUT", [], resets(), 2],
      ["DELETE", [], resets(), 2],
      ["OPTIONS", [], resets(), 2],
      ["POST", [], resets(), 1],
      ["PATCH", [], resets(), 1],
      ["get", [], resets(), 1], // methods are case-sensitive: this is none of those
      ["POST", ["Idempotency-Key", "k"], resets(), 2],
      ["POST", [], answers(503), 1],
      ["POST", ["idempotency-key", "k"], answers(503), 2],
      ["POST", [], refuses(), 2],
      ["PATCH", [], refuses("ETIMEDOUT"), 2],
      ["POST", [], stale(), 1],
    ])("%s %j after %j: %s attempts", async (method, headers, bad, attempts) => {
      const { callAndWait, network } = setup({ on: ["5xx", "reset", "connect-failure"] }, inTurn(bad, answers(200)));
      const { exchange } = await callAndWait({ method, headers });
      expect(exchange.attempts).toHaveLength(attempts);
      expect(network.open).toBe(0);
    });

    it("an error code of connecting proves nothing once the request was written", async () => {
      const { engine, prepare } = setup({ on: ["connect-failure", "reset"] }, silent());
      const { call, exchange } = prepare("reviews", { method: "POST" });
      engine.start(call);
      exchange.attempts[0]!.fail(Object.assign(new Error("no route"), { code: "EHOSTUNREACH" }));
      expect(exchange.events).toEqual(["fail UPSTREAM_RESET"]);
      expect((exchange.error as MeshError).message).toContain("send an Idempotency-Key if it is safe to repeat");
    });

    it("a POST still queued when its perTryTimeout passes may be sent again", async () => {
      const { callAndWait } = setup({ on: ["reset"], perTryTimeoutMs: 100 }, inTurn(queues(), answers(200)));
      const { exchange } = await callAndWait({ method: "POST" });
      expect(exchange.events).toEqual(["head 200", "end"]);
    });
  });

  describe("P2: a kept-alive connection that its peer had closed", () => {
    it("is replaced at once, without spending a retry or blaming the endpoint", () => {
      const { send, clock, engine, network } = setup({ on: [] }, inTurn(stale(), answers(200)));
      const { call, exchange } = send("reviews");
      expect(exchange.attempts.map(({ number }) => number)).toEqual([1, 1]); // in the same tick
      clock.advance(10);
      expect(exchange.events).toEqual(["head 200", "end"]);
      expect([call.replayed, call.attempts, call.noRetry]).toEqual([true, 1, undefined]);
      const [cluster] = engine.clusters.all();
      expect(cluster!.stats.read()).toMatchObject({ retries: 0, replays: 1, failures: 0, inFlight: 0 });
      expect(cluster!.states.map(({ failures }) => failures)).toEqual([0, 0, 0]);
      expect(network.written).toHaveLength(2);
    });

    it("is replaced exactly once, then counts as any reset", async () => {
      const { callAndWait } = setup({ on: [] }, stale());
      const { call, exchange } = await callAndWait();
      expect([exchange.attempts.length, exchange.events, call.noRetry]).toEqual([
        2,
        ["fail UPSTREAM_RESET"],
        "retries_off",
      ]);
    });

    it("comes on top of the attempts of the policy", async () => {
      const { callAndWait, engine } = setup({ on: ["reset"] }, inTurn(resets(), stale(), resets(), answers(200)));
      const { exchange } = await callAndWait();
      expect(exchange.attempts.map(({ number }) => number)).toEqual([1, 2, 2, 3]);
      expect(exchange.events).toEqual(["head 200", "end"]);
      expect(engine.clusters.all()[0]!.stats.read()).toMatchObject({ retries: 2, replays: 1 });
    });

    it("is not replaced when the body cannot be sent twice", async () => {
      const { callAndWait } = setup({ on: [] }, stale());
      expect((await callAndWait({ replayable: false })).exchange.attempts).toHaveLength(1);
    });
  });

  describe("perTryTimeout", () => {
    const DEFAULT = ["connect-failure", "refused-stream", "unavailable", "cancelled"];

    it("is not retried under the default policy", async () => {
      const { callAndWait } = setup({ on: DEFAULT, perTryTimeoutMs: 100 }, silent());
      const { call, exchange } = await callAndWait();
      expect([exchange.events, call.noRetry, call.status]).toEqual([["fail PER_TRY_TIMEOUT"], "not_retriable", 504]);
      expect((exchange.error as MeshError).message).toMatch(
        /had no answer within 100 ms \(perTryTimeout\) after \d+ ms\./,
      );
    });

    it.each(["5xx", "reset", "gateway-error"])("is retried under %s", async (token) => {
      const { callAndWait, network } = setup({ on: [token], perTryTimeoutMs: 100 }, inTurn(silent(), answers(200)));
      const { exchange } = await callAndWait();
      expect([exchange.events, network.open]).toEqual([["head 200", "end"], 0]);
    });

    it("ends with the answer's head: a slow body is fine", async () => {
      const { callAndWait } = setup({ on: ["5xx"], perTryTimeoutMs: 100 }, answers(200, { afterMs: 50, bodyMs: 500 }));
      expect((await callAndWait()).exchange.events).toEqual(["head 200", "end"]);
    });

    it("is ignored when the route's timeout comes first", async () => {
      const { callAndWait, engine } = setup({ on: ["reset"], perTryTimeoutMs: 100 }, silent(), { timeoutMs: 100 });
      const stages = engine.describe(engine.lookup("reviews", 80)!.routes[0]!);
      expect(stages.map(({ role }) => role)).not.toContain("perTryTimeout");
      expect((await callAndWait()).exchange.events).toEqual(["fail TIMEOUT"]);
    });

    it("R16: tells the callee no more time than is left", async () => {
      const { callAndWait, network } = setup({ on: ["reset"], perTryTimeoutMs: 100, backoffBaseMs: 0 }, silent(), {
        timeoutMs: 250,
      });
      await callAndWait();
      const told = network.written.map(({ headers }) => Number(headers[headers.indexOf("x-inmesh-timeout-ms") + 1]));
      expect(told.slice(0, 2)).toEqual([100, 100]);
      expect(told[2]).toBeLessThanOrEqual(50);
    });
  });

  describe("the route's timeout", () => {
    it("covers all attempts and the waits between them", async () => {
      const { callAndWait, engine, clock } = setup({ on: ["5xx"], maxAttempts: 100 }, answers(503, { afterMs: 30 }), {
        timeoutMs: 300,
      });
      const { call, exchange } = await callAndWait({ path: "/x" });
      expect(exchange.events).toEqual(["fail TIMEOUT"]);
      expect(call.endedAt - call.startedAt).toBeGreaterThanOrEqual(300);
      expect(call.endedAt - call.startedAt).toBeLessThanOrEqual(304);
      expect(call.attempts).toBeGreaterThan(2);
      expect(call.noRetry).toBe("deadline");
      expect((exchange.error as MeshError).message).toMatch(
        /^GET http:\/\/reviews\/x timed out after 30\d ms \(rule "default", timeout 300 ms\): attempt 1 to 10.0.0.\d:80 was answered 503 after 30 ms; .* \(TIMEOUT\)$/,
      );
      expect([engine.wheel.size, clock.pending]).toEqual([0, 0]);
    });

    it("cuts an answer's body off", async () => {
      const { callAndWait, network } = setup({}, answers(200, { bodyMs: 1_000 }), { timeoutMs: 300 });
      const { call, exchange } = await callAndWait();
      expect([exchange.events, call.status, network.open]).toEqual([["head 200", "fail TIMEOUT"], 200, 0]);
    });
  });

  describe("where it tries again", () => {
    it("prefers endpoints not tried yet, and comes back when all were", async () => {
      const { callAndWait } = setup({ on: ["5xx"], maxAttempts: 4 }, answers(503));
      const { endpoints } = await callAndWait();
      expect(new Set(endpoints.slice(0, 3)).size).toBe(3);
      expect(endpoints).toHaveLength(4);
    });

    it("picks as it would anyway when policy does not ask to avoid", async () => {
      const { callAndWait } = setup(
        { on: ["5xx"], maxAttempts: 60, avoidPreviousHosts: false, backoffBaseMs: 0 },
        answers(503),
      );
      const { endpoints } = await callAndWait();
      const repeated = endpoints.filter((id, index) => id === endpoints[index - 1]);
      expect(repeated.length).toBeGreaterThan(5);
    });
  });

  describe("the contract with p-retry", () => {
    it("leaves the first attempt and every success out of it", async () => {
      await setup({ on: ["5xx"] }, answers(200)).callAndWait();
      expect(pRetry).not.toHaveBeenCalled();
    });

    it("gives all options at once: a missing one costs 10 us on Node 20", async () => {
      await setup({ on: ["5xx"] }, inTurn(answers(500), answers(200))).callAndWait();
      expect(pRetry).toHaveBeenCalledTimes(1);
      const options = vi.mocked(pRetry).mock.calls[0]![1] as Options;
      expect(Object.keys(options)).toEqual([
        "retries",
        "factor",
        "minTimeout",
        "maxTimeout",
        "maxRetryTime",
        "randomize",
        "onFailedAttempt",
        "shouldRetry",
        "shouldConsumeRetry",
        "signal",
        "unref",
      ]);
      expect([options.retries, options.minTimeout]).toEqual([2, 0]);
    });

    it("counts attempts alike on both sides", async () => {
      const { callAndWait } = setup({ on: ["5xx"], maxAttempts: 5 }, answers(500));
      const numbers: number[] = [];
      const real = vi.mocked(pRetry).getMockImplementation()!;
      vi.mocked(pRetry).mockImplementationOnce((run, options) =>
        real((number) => {
          numbers.push(number);
          return run(number);
        }, options),
      );
      const { exchange } = await callAndWait();
      expect(numbers).toEqual([1, 2, 3, 4, 5]); // 1 stands for the attempt that failed outside
      expect(exchange.attempts.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5]);
    });

    it("ends its loop when the answer's head arrives, long before the body does", async () => {
      const { clock, send } = setup({ on: ["5xx"] }, inTurn(answers(500), answers(200, { bodyMs: 60_000 })));
      const { call, exchange } = send("reviews");
      await clock.advanceAsync(1_000);
      const loop = vi.mocked(pRetry).mock.results[0]!.value as Promise<void>;
      await expect(loop).resolves.toBeUndefined();
      expect([exchange.events, call.ended]).toEqual([["head 200"], false]);
    });
  });
});

describe("backoffMs", () => {
  it.each([
    [1, 25],
    [2, 75],
    [3, 175],
    [4, 250],
    [5, 250],
    [1_000, 250],
  ])("before retry %s is spread over [0, %s)", (retryNumber, ceiling) => {
    const random = seededRandom(11);
    const waits = Array.from({ length: 2_000 }, () => backoffMs(retryNumber, fakeRetry(), random));
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...waits)).toBeLessThan(ceiling);
    expect(Math.max(...waits)).toBeGreaterThan(ceiling * 0.98);
    const mean = waits.reduce((sum, ms) => sum + ms, 0) / waits.length;
    expect(Math.abs(mean - ceiling / 2)).toBeLessThan(ceiling * 0.03);
  });

  it("R17: stays finite and in bounds over 100,000 steps of random policies and retry numbers", () => {
    const random = seededRandom(17);
    for (let step = 0; step < 100_000; step++) {
      const backoffBaseMs = random.next() < 0.1 ? 0 : 10 ** (random.next() * 8 - 1);
      const backoffMaxMs = random.next() < 0.1 ? 0 : 10 ** (random.next() * 9 - 1);
      const retryNumber = random.next() < 0.1 ? random.int(2 ** 31) : 1 + random.int(40);
      const ms = backoffMs(retryNumber, fakeRetry({ backoffBaseMs, backoffMaxMs }), random);
      if (!(Number.isFinite(ms) && ms >= 0 && ms <= backoffMaxMs)) {
        expect.fail(`${ms} ms before retry ${retryNumber} of base ${backoffBaseMs}, at most ${backoffMaxMs}`);
      }
    }
  });

  it("R17: stays finite over 100,000 steps", () => {
    const random = seededRandom(1);
    for (let retryNumber = 1; retryNumber <= 100_000; retryNumber++) {
      const ms = backoffMs(retryNumber, fakeRetry({ backoffBaseMs: 1, backoffMaxMs: 10 }), random);
      if (!(ms >= 0 && ms < 10)) expect.fail(`back-off of ${ms} ms before retry ${retryNumber}`);
    }
  });
});
