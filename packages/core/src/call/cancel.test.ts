import { describe, expect, it } from "vitest";
import { settle } from "../runtime/fake-clock.js";
import { answers, queues, refuses, silent } from "../testing/behaviour.js";
import { testEngine } from "../testing/test-engine.js";

const A = "10.0.0.1:80";
const B = "10.0.0.2:80";

/** Whatever a call may be waiting for when its caller gives up. */
const PHASES = {
  "the configuration": { waiting: true, script: answers() },
  "an injected delay": { fault: { delayRatio: 1, delayMs: 1_000, abortRatio: 0, abortStatus: 0 }, script: answers() },
  "a free connection": { script: queues() },
  "an answer": { script: silent() },
  "a connection": { script: refuses("ETIMEDOUT", 1_000) },
  "the end of a back-off": { script: refuses(), backoffBaseMs: 1_000, backoffMaxMs: 10_000 },
  "the end of the body": { script: answers(200, { bodyMs: 10_000 }) },
} as const;

describe("a caller that gives up", () => {
  it.each(Object.entries(PHASES))("while waiting for %s frees everything in the same tick", async (name, phase) => {
    const {
      backoffBaseMs = 25,
      backoffMaxMs = 250,
      fault = undefined,
      waiting = false,
      script,
    } = { ...phase } as {
      backoffBaseMs?: number;
      backoffMaxMs?: number;
      fault?: { delayRatio: number; delayMs: number; abortRatio: number; abortStatus: number };
      waiting?: boolean;
      script: ReturnType<typeof answers>;
    };
    const retry = { on: ["connect-failure", "5xx"], backoffBaseMs, backoffMaxMs, perTryTimeoutMs: 30_000 };
    const { clock, engine, network, send } = testEngine(
      waiting
        ? undefined
        : { clusters: { reviews: [A, B] }, hosts: { reviews: [{ timeoutMs: 60_000, retry, fault }] } },
    );
    network.script("*", script);
    const ends: unknown[] = [];
    engine.observe({ callEnded: (ended) => ends.push(ended) });
    const { call, exchange } = send("reviews");
    await clock.advanceAsync(500);
    expect([call.ended, call.attempt?.phase]).toEqual([false, PHASE_OF[name as keyof typeof PHASES]]);
    const heard = exchange.events.length;

    const reason = new Error("enough");
    call.abort(reason);

    expect(exchange.events.slice(heard)).toEqual(["fail Error"]);
    expect(exchange.error).toBe(reason); // never wrapped
    expect([call.ended, call.noRetry, call.error]).toEqual([true, "aborted", reason]);
    expect([engine.wheel.size, network.open]).toEqual([0, 0]);
    expect(clock.pending).toBeLessThanOrEqual(1); // the wheel's own, which finds it empty at its next turn
    for (const { stats, states } of engine.clusters.all()) {
      expect(stats.read()).toMatchObject({ inFlight: 0, calls: 1, aborted: 1, failures: 0 });
      expect(states.map(({ inFlight }) => inFlight)).toEqual([0, 0]);
    }
    call.abort(new Error("again"));
    await settle();
    clock.advance(60_000);
    await settle();
    expect([ends, exchange.events.length, clock.pending]).toEqual([[call], heard + 1, 0]);
  });

  it("in the tick in which an attempt failed leaves no back-off behind", async () => {
    const { clock, network, send } = testEngine({
      clusters: { reviews: [A] },
      hosts: { reviews: [{ retry: { on: ["connect-failure"], backoffBaseMs: 1_000 } }] },
    });
    network.script(A, refuses());
    const { call, exchange } = send("reviews");
    call.abort(new Error("enough"));
    await settle();
    expect([clock.pending, exchange.attempts.length, exchange.events]).toEqual([0, 1, ["fail Error"]]);
  });

  it("before the call was started is told so, and the start does nothing", () => {
    const { engine, prepare, network } = testEngine({ clusters: { reviews: [A] } });
    const { call, exchange } = prepare("reviews");
    call.abort(new Error("enough"));
    engine.start(call);
    expect([exchange.events, network.written, engine.unrouted]).toEqual([["fail Error"], [], 0]);
  });

  it("may do so from inside what it hears", () => {
    const { clock, engine, prepare } = testEngine({ clusters: { reviews: [A] } });
    const { call, exchange } = prepare("reviews");
    const fail = exchange.fail.bind(exchange);
    exchange.fail = (error) => {
      fail(error);
      call.abort(new Error("again"));
    };
    engine.start(call);
    call.abort(new Error("enough"));
    clock.advance(100);
    expect(exchange.events).toEqual(["fail Error"]);
  });

  it("with a reason that is no error gets that very reason", () => {
    const { network, send } = testEngine({ clusters: { reviews: [A] } });
    network.script(A, silent());
    const { call, exchange } = send("reviews");
    const reasons: Error[] = [];
    call.attempt!.abort = (reason) => reasons.push(reason);
    exchange.fail = (error) => void exchange.events.push(String(error));
    call.abort("enough");
    expect(exchange.events).toEqual(["enough"]);
    expect(reasons[0]).toMatchObject({ message: "the call was given up", cause: "enough" });
  });
});

const PHASE_OF: Record<keyof typeof PHASES, string | undefined> = {
  "the configuration": undefined,
  "an injected delay": undefined,
  "a free connection": "queued",
  "an answer": "written",
  "a connection": "queued",
  "the end of a back-off": "settled",
  "the end of the body": "answered",
};

describe("an attempt that is over", () => {
  const setup = () => {
    const test = testEngine({ clusters: { reviews: [A] } });
    test.network.script(A, queues());
    const { call, exchange } = test.send("reviews");
    return { ...test, call, exchange, attempt: call.attempt! };
  };

  it("is cancelled as soon as it starts after all", () => {
    const { attempt, call } = setup();
    call.abort(new Error("enough"));
    const reasons: string[] = [];
    attempt.started(false, ({ message }) => reasons.push(message));
    expect([reasons, attempt.sent, attempt.abort]).toEqual([
      ["the attempt was cancelled before it started"],
      false,
      undefined,
    ]);
  });

  it("ignores heads, ends and failures that come late", () => {
    const { attempt, call, exchange, engine } = setup();
    call.abort(new Error("enough"));
    expect(attempt.head(200, () => undefined)).toBe(false);
    attempt.complete();
    attempt.fail(new Error("late"));
    attempt.onTimeout();
    expect(exchange.events).toEqual(["fail Error"]);
    expect(engine.clusters.all()[0]!.states[0]).toMatchObject({ inFlight: 0, attempts: 1, failures: 0 });
  });

  it("has one head only", () => {
    const { attempt, call } = setup();
    expect([attempt.head(200, () => undefined), attempt.head(500, () => undefined), call.status]).toEqual([
      true,
      false,
      200,
    ]);
  });

  it("failed when it ends without a head", () => {
    const { attempt, exchange } = setup();
    attempt.started(false, () => {});
    attempt.complete();
    expect(exchange.events).toEqual(["fail UPSTREAM_RESET"]);
  });
});
