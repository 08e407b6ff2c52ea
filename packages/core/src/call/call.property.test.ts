/** Adapters, timers and callers in every order: whatever they do, a call ends once and holds nothing afterwards. */

import { describe, expect, it } from "vitest";
import { settle } from "../runtime/fake-clock.js";
import { type Random, seededRandom } from "../runtime/random.js";
import { type FakeRoute, fakeSnapshot } from "../testing/fake-snapshot.js";
import { testEngine } from "../testing/test-engine.js";
import type { Attempt } from "./attempt.js";
import { Call } from "./call.js";
import type { Exchange, MirrorExchange } from "./exchange.js";

const ENDPOINTS = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"];

const CANARIES = ["10.0.1.1:80", "10.0.1.2:80"];

/** Leaves everything to the test, and keeps what was heard. */
class Puppet implements Exchange {
  readonly attempts: Attempt[] = [];
  readonly heard: string[] = [];
  readonly random: Random;
  readonly mirrors: PuppetMirror[] = [];

  constructor(random: Random) {
    this.random = random;
  }

  send(attempt: Attempt): void {
    this.attempts.push(attempt);
    if (this.random.next() < 0.1) this.poke(attempt); // transports may report before `send` returns
    if (attempt.phase !== "settled" && this.random.next() < 0.02) throw new Error("cannot send");
  }

  canReplay(): boolean {
    return this.random.next() < 0.9;
  }

  canHedge(): boolean {
    return true;
  }

  mirror(): MirrorExchange | undefined {
    if (this.random.next() < 0.1) return undefined;
    const mirror = new PuppetMirror(this.random);
    this.mirrors.push(mirror);
    return mirror;
  }

  passThrough(): void {
    this.heard.push("passThrough");
  }

  reply(): void {
    this.heard.push("reply");
  }

  fail(): void {
    this.heard.push("fail");
  }

  /** One report, sensible or not. */
  poke(attempt: Attempt): void {
    switch (this.random.int(6)) {
      case 0:
        return attempt.started(this.random.next() < 0.5, () => attempt.fail(new Error("aborted")));
      case 1:
        if (attempt.head([200, 200, 404, 500, 503][this.random.int(5)]!, () => undefined)) this.heard.push("head");
        return;
      case 2:
        return attempt.complete();
      case 3:
        return attempt.fail(Object.assign(new Error("reset"), { code: "ECONNRESET" }));
      case 4:
        return attempt.fail(Object.assign(new Error("refused"), { code: "ECONNREFUSED" }));
      case 5:
        return attempt.onTimeout();
    }
  }
}

/** A copy's half: its body is whole at once, later, or never. */
class PuppetMirror extends Puppet implements MirrorExchange {
  readonly bytes = 10;
  finish = (): void => {};

  whole(then: Parameters<MirrorExchange["whole"]>[0]): void {
    const tell = () => then(this.random.next() < 0.7 ? undefined : "bodyIncomplete");
    if (this.random.next() < 0.5) return tell();
    this.finish = () => {
      this.finish = () => {};
      tell();
    };
  }
}

function randomMirrors(random: Random): NonNullable<FakeRoute["mirrors"]> {
  return ["canary", "nowhere", "canary"].slice(0, random.int(4)).map((cluster, at) => ({
    destination: { cluster, host: cluster, port: 80, subset: "", weight: 100 },
    ratio: random.next() < 0.5 ? 1 : random.next(),
    field: `mirrors[${at}]`,
  }));
}

function randomRoute(random: Random): FakeRoute {
  const on = [["5xx"], ["connect-failure"], ["reset", "503"], []][random.int(4)]!;
  return {
    mirrors: randomMirrors(random),
    timeoutMs: random.next() < 0.5 ? 50 + random.int(400) : 0,
    retry: {
      on,
      maxAttempts: on.length === 0 ? 1 : 2 + random.int(3),
      perTryTimeoutMs: random.next() < 0.5 ? 20 + random.int(60) : 0,
    },
    fault:
      random.next() < 0.3 ? { delayRatio: 0.5, delayMs: random.int(60), abortRatio: 0.2, abortStatus: 503 } : undefined,
  };
}

describe("a call under random reports", () => {
  it.each(Array.from({ length: 12 }, (_, seed) => seed))("ends once and holds nothing, seed %s", async (seed) => {
    const random = seededRandom(seed);
    for (let round = 0; round < 12; round++) {
      const { clock, engine, store, publish } = testEngine(undefined, { seed: seed * 100 + round });
      const hedges = random.next() < 0.4 ? 2 + random.int(3) : 0;
      const policy = hedges > 0 ? { hedging: { maxAttempts: hedges, delayMs: random.int(60) } } : {};
      const reviews = { endpoints: ENDPOINTS, policy };
      const spec = { clusters: { reviews, canary: CANARIES }, hosts: { reviews: [randomRoute(random)] } };
      if (random.next() < 0.8) publish(spec);
      const ended = new Map<Call, number>();
      engine.observe({ callEnded: (call) => void ended.set(call, (ended.get(call) ?? 0) + 1) });
      const pairs = Array.from({ length: 6 }, () => {
        const exchange = new Puppet(random);
        const method = random.next() < 0.7 ? "GET" : "POST";
        return { exchange, call: new Call(exchange, method, "http", "reviews", 80, "reviews", "/", []) };
      });
      for (const { call } of pairs) engine.start(call);
      for (let step = 0; step < 120; step++) {
        const { exchange, call } = pairs[random.int(pairs.length)]!;
        const chance = random.next();
        if (chance < 0.02) call.abort(new Error("caller"));
        else if (chance < 0.025) call.fail(new Error("adapter"));
        else if (chance < 0.03) store.publish(fakeSnapshot({ ...spec, version: store.nextVersion }));
        else if (chance < 0.3) await clock.advanceAsync(random.next() * 30);
        else if (chance < 0.5 && exchange.mirrors.length > 0) {
          const mirror = exchange.mirrors[random.int(exchange.mirrors.length)]!;
          if (mirror.attempts.length === 0) mirror.finish();
          else mirror.poke(mirror.attempts[random.int(mirror.attempts.length)]!);
        } else if (exchange.attempts.length > 0)
          exchange.poke(exchange.attempts[random.int(exchange.attempts.length)]!);
      }
      for (const { call } of pairs) if (random.next() < 0.5) call.abort(new Error("caller"));
      for (let turn = 0; turn < 200; turn++) {
        for (const { exchange } of pairs) for (const mirror of exchange.mirrors) mirror.finish(); // some are made only now
        for (const { exchange } of pairs)
          for (const attempt of [exchange, ...exchange.mirrors].flatMap(({ attempts }) => attempts))
            if (attempt.phase !== "settled") attempt.fail(new Error("end"));
        await clock.advanceAsync(50);
      }
      await settle();

      for (const { call, exchange } of pairs) {
        const [first, ...others] = exchange.heard;
        expect(call.ended, exchange.heard.join()).toBe(true);
        expect(["head", "reply", "fail", "passThrough"]).toContain(first);
        // After a head only its breaking off may follow; after anything else nothing.
        expect(first === "head" ? others.filter((each) => each !== "fail") : others).toEqual([]);
        expect(others.length).toBeLessThanOrEqual(1);
        expect(ended.get(call)).toBe(1);
        const limit = Math.max(call.route?.retry.maxAttempts ?? 1, call.method === "GET" ? hedges : 0);
        expect(call.attempts).toBeLessThanOrEqual(limit);
        expect(exchange.attempts.length).toBeLessThanOrEqual(limit + (call.replayed ? 1 : 0));
        expect(
          exchange.attempts.every(
            ({ phase, wheelTick, abort }) => phase === "settled" && wheelTick < 0 && abort === undefined,
          ),
        ).toBe(true);
        for (const mirror of exchange.mirrors) {
          expect(mirror.heard.filter((each) => each === "head")).toEqual([]); // nobody gets a copy's answer
          expect(mirror.attempts.every(({ phase, wheelTick }) => phase === "settled" && wheelTick < 0)).toBe(true);
          expect(mirror.attempts.length).toBeLessThanOrEqual(2); // one, and one more on a connection that was closed
        }
        if (call.method === "POST") {
          // Whatever went before the last attempt never reached anybody.
          for (const attempt of exchange.attempts.slice(0, -1)) expect(attempt.sent).toBe(false);
        }
      }
      for (const { stats, states } of engine.clusters.all()) {
        expect(stats.inFlight).toBe(0);
        expect(states.filter(({ inFlight }) => inFlight !== 0)).toEqual([]);
      }
      for (const { stats } of engine.mirrors.read()) expect(stats.inFlight).toBe(0);
      expect(engine.wheel.size).toBe(0);
      engine.wheel.stop(); // what it was set for is gone
      expect(clock.pending).toBe(0);
      expect(ended.size).toBe(pairs.length);
    }
  });
});
