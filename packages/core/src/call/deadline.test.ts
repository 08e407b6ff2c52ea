/** One deadline from the inbound request to every wait of every call made for it. */

import { describe, expect, it } from "vitest";
import type { MeshError } from "../errors.js";
import { TICK_MS } from "../runtime/timer-wheel.js";
import { answers, type Behaviour, queues, refuses, silent } from "../testing/behaviour.js";
import type { FakeCluster, FakeRoute } from "../testing/fake-snapshot.js";
import { testEngine } from "../testing/test-engine.js";
import { InboundContext } from "./context.js";

const ENDPOINTS = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"];
const LEFT_MS = 300;

interface Phase {
  readonly script: Behaviour;
  readonly route?: FakeRoute;
  readonly policy?: FakeCluster["policy"];
  /** There is no snapshot yet. */
  readonly waiting?: true;
  readonly attempts: number;
}

const WAITS: Readonly<Record<string, Phase>> = {
  "the configuration": { script: answers(), waiting: true, attempts: 0 },
  "an injected delay": {
    script: answers(),
    route: { fault: { delayRatio: 1, delayMs: 1_000, abortRatio: 0, abortStatus: 0 } },
    attempts: 0,
  },
  "a free connection": { script: queues(), attempts: 1 },
  "a connection": { script: refuses("ETIMEDOUT", 1_000), attempts: 1 },
  "an answer": { script: silent(), attempts: 1 },
  "an answer of several attempts": {
    script: silent(),
    policy: { hedging: { maxAttempts: 3, delayMs: 50 } },
    attempts: 3,
  },
  "the end of a back-off": {
    script: refuses(),
    route: { retry: { on: ["connect-failure"], backoffBaseMs: 10_000, backoffMaxMs: 100_000 } },
    attempts: 1,
  },
  "the end of the body": { script: answers(200, { bodyMs: 10_000 }), attempts: 1 },
};

describe("the deadline of the inbound request", () => {
  it.each(Object.entries(WAITS))("ends a call that waits for %s, in one tick", async (name, phase) => {
    const { script, route = {}, policy, waiting, attempts } = phase;
    const { clock, engine, network, prepare } = testEngine(
      waiting
        ? undefined
        : {
            clusters: { reviews: { endpoints: ENDPOINTS, ...(policy && { policy }) } },
            hosts: { reviews: [{ timeoutMs: 60_000, ...route }] },
          },
    );
    network.script("*", script);
    const { call, exchange } = prepare("reviews");
    engine.contexts.run(new InboundContext(clock.now() + LEFT_MS, []), () => engine.start(call));
    await clock.advanceAsync(LEFT_MS - 1);
    expect([call.ended, exchange.attempts.length]).toEqual([false, attempts]);

    await clock.advanceAsync(1 + TICK_MS);

    expect([call.ended, call.noRetry]).toEqual([true, "deadline"]);
    expect(exchange.error).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect([network.open, engine.wheel.size]).toEqual([0, 0]);
    for (const { stats, states, limits } of engine.clusters.all()) {
      expect(stats.inFlight).toBe(0);
      expect(limits).toMatchObject({ active: 0, retries: 0, pending: 0 });
      // It may have been used up elsewhere: nobody is to blame for it.
      const failures = name === "the end of a back-off" ? 1 : 0;
      expect(states.reduce((sum, state) => sum + state.failures, 0)).toBe(failures);
      expect(states.map(({ inFlight }) => inFlight)).toEqual([0, 0, 0]);
    }
    await clock.advanceAsync(60_000);
    expect([exchange.attempts.length, clock.pending]).toEqual([attempts, 0]);
  });

  it("is one for all calls: each is told what is left of it, and later ones less", async () => {
    const { clock, engine, network, send } = testEngine({ clusters: { reviews: ENDPOINTS } });
    network.script("*", answers(200, { afterMs: 50 }));
    const context = new InboundContext(clock.now() + LEFT_MS, []);
    const left: number[] = [];
    for (let turn = 0; turn < 4; turn++) {
      engine.contexts.run(context, () => send("reviews"));
      await clock.advanceAsync(60);
      const { headers } = network.written.at(-1)!;
      left.push(Number(headers[headers.indexOf("x-inmesh-timeout-ms") + 1]));
    }
    expect(left).toEqual([300, 240, 180, 120]);
  });

  it("that passed before ends a call before anything is sent", async () => {
    const { clock, engine, network, prepare } = testEngine({ clusters: { reviews: ENDPOINTS } });
    const { call, exchange } = prepare("reviews");
    engine.contexts.run(new InboundContext(clock.now() - 1, []), () => engine.start(call));
    expect([(exchange.error as MeshError).code, network.written.length]).toEqual(["DEADLINE_EXCEEDED", 0]);
  });

  it("does not hold for what is detached", async () => {
    const { clock, engine, network, send } = testEngine({ clusters: { reviews: ENDPOINTS } });
    network.script("*", answers(200, { afterMs: 1_000 }));
    const context = new InboundContext(clock.now() + LEFT_MS, []);
    const { exchange } = engine.contexts.run(context, () => engine.contexts.detach(() => send("reviews")));
    await clock.advanceAsync(2_000);
    expect(exchange.events).toEqual(["head 200", "end"]);
  });

  it("R16: is told to each attempt anew, and the shorter of it and perTryTimeout", async () => {
    const { clock, engine, network, send } = testEngine({
      clusters: { reviews: ENDPOINTS },
      hosts: { reviews: [{ retry: { on: ["reset"], perTryTimeoutMs: 130, backoffBaseMs: 0 } }] },
    });
    network.script("*", silent());
    engine.contexts.run(new InboundContext(clock.now() + LEFT_MS, []), () => send("reviews"));
    await clock.advanceAsync(1_000);
    const told = network.written.map(({ headers }) => Number(headers[headers.indexOf("x-inmesh-timeout-ms") + 1]));
    expect(told.slice(0, 2)).toEqual([130, 130]);
    expect(told[2]).toBeLessThanOrEqual(40);
    expect(told[2]).toBeGreaterThan(20);
  });
});
