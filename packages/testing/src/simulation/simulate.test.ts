import type { Call, Engine } from "@inmesh/core";
import type { BreakerPolicy, Snapshot, TrafficPolicy } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { type SimulationOptions, simulate } from "./simulate.js";

Error.stackTraceLimit = 0; // nobody reads the stacks of failures that are made on purpose

/** Of `npm test`; `npm run simulate` has longer ones, and more. */
const SEEDS = 80;
const SHORT: SimulationOptions = { durationMs: 400 };
const BUSY: SimulationOptions = { durationMs: 400, callsPerSecond: 300 };

type Cluster = ReturnType<Engine["clusters"]["all"]>[number];

/** Tried until one notices. */
const MOST_SEEDS = 60;

/**
 * Whether a simulation of an engine that is broken like this says so, by that invariant, for one of so many seeds.
 * @param from one that is known to; another draw may make it any other
 */
async function notices(
  invariant: string,
  prepare: (engine: Engine) => void,
  { from = 1, options = BUSY } = {},
): Promise<boolean> {
  for (let tried = 0; tried < MOST_SEEDS; tried++) {
    const { violations } = await simulate(((from - 1 + tried) % MOST_SEEDS) + 1, { ...options, prepare });
    if (violations.some((violation) => violation.invariant === invariant)) return true;
  }
  return false;
}

/** Every cluster, once, before its first call. */
function eachCluster(engine: Engine, change: (cluster: Cluster) => void): void {
  const { clusters } = engine;
  const get = clusters.get.bind(clusters);
  const seen = new Set<Cluster>();
  clusters.get = (snapshot, name) => {
    const cluster = get(snapshot, name);
    if (cluster !== undefined && !seen.has(cluster)) {
      seen.add(cluster);
      change(cluster);
    }
    return cluster;
  };
}

/** Other policy for every cluster than the registry shows. */
function otherPolicy(engine: Engine, change: (policy: TrafficPolicy) => TrafficPolicy): void {
  const { clusters } = engine;
  const { get, update } = { get: clusters.get.bind(clusters), update: clusters.update.bind(clusters) };
  const changed = (snapshot: Snapshot): Snapshot => ({
    ...snapshot,
    cluster: (name) => {
      const config = snapshot.cluster(name);
      return config && { ...config, policy: change(config.policy) };
    },
  });
  clusters.get = (snapshot, name) => get(changed(snapshot), name);
  clusters.update = (snapshot) => update(changed(snapshot));
}

/** Every call, before it starts. */
function eachCall(engine: Engine, change: (call: Call) => void): void {
  const start = engine.start.bind(engine);
  engine.start = (call) => {
    change(call);
    start(call);
  };
}

describe("a simulation", () => {
  it(`finds nothing wrong in ${SEEDS} seeds`, async () => {
    const failed: string[] = [];
    let calls = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const report = await simulate(seed, SHORT);
      calls += report.calls;
      for (const { at, invariant, message } of report.violations) {
        failed.push(
          `${invariant}: ${message}, at ${at} ms (npm run simulate -- --seed ${seed} --duration 400 --trace)`,
        );
      }
    }
    expect(failed).toEqual([]);
    expect(calls).toBeGreaterThan(SEEDS * 10);
  }, 60_000);

  it("is the same for the same seed, event by event, and another for another", async () => {
    const [first, again, other] = [await simulate(5, SHORT), await simulate(5, SHORT), await simulate(6, SHORT)];
    expect(first.trace.length).toBeGreaterThan(100);
    expect(again).toEqual(first);
    expect(other.trace).not.toEqual(first.trace);
  });

  it("has only the faults it is asked for, and without any nearly every call does well", async () => {
    const { trace, calls, successes } = await simulate(3, {
      durationMs: 500,
      callsPerSecond: 200,
      services: 1,
      faults: [],
    });
    expect(trace.filter((line) => / (until|stands still|leaves|mode) /.test(line))).toEqual([]);
    expect(calls).toBeGreaterThan(60);
    expect(successes).toBeGreaterThan(calls / 2);
  });
});

describe("a simulation of an engine that is broken", { timeout: 60_000 }, () => {
  it("sees a lease that is given back twice", async () => {
    const seen = await notices("leases", (engine) =>
      eachCluster(engine, (cluster) => {
        const release = cluster.release.bind(cluster);
        cluster.release = (attempt, outcome, now) => {
          release(attempt, outcome, now);
          if (attempt.status === 404) release(attempt, outcome, now);
        };
      }),
    );
    expect(seen).toBe(true);
  });

  it("sees a timer that is forgotten", async () => {
    const forgotten = new WeakSet<object>();
    const seen = await notices("timers", ({ wheel }) => {
      const remove = wheel.remove.bind(wheel);
      wheel.remove = (node) => {
        const settled = "phase" in node && node.phase === "settled";
        if (!settled || forgotten.has(node)) return remove(node);
        forgotten.add(node);
      };
    });
    expect(seen).toBe(true);
  });

  it("sees retries beyond the budget", async () => {
    const seen = await notices("limits", (engine) =>
      eachCluster(engine, ({ limits }) => {
        limits.mayRetry = () => true;
      }),
    );
    expect(seen).toBe(true);
  });

  it("sees retries beyond their rate", async () => {
    const wild = (engine: Engine): void =>
      eachCluster(engine, (cluster) => {
        cluster.mayRetry = () => true;
      });
    // Ten retries are saved up from the beginning: it takes a while until there are more.
    const long: SimulationOptions = {
      durationMs: 1_000,
      callsPerSecond: 300,
      services: 1,
      faults: ["errors", "resets"],
    };
    const seen = await notices("retryRate", wild, { from: 28, options: long });
    expect(seen).toBe(true);
  });

  it("sees what may be carried out twice", async () => {
    const seen = await notices("attempts", (engine) =>
      eachCall(engine, (call) => void Object.defineProperty(call, "idempotent", { get: () => true })),
    );
    expect(seen).toBe(true);
  });

  it("sees an answer that is given twice, and one that never comes", async () => {
    const twice = await notices("answeredOnce", (engine) =>
      eachCall(engine, (call) => {
        const { exchange } = call;
        const complete = call.attemptCompleted.bind(call);
        call.attemptCompleted = (attempt) => {
          complete(attempt);
          if (attempt.status === 404) exchange.fail(new Error("and again"));
        };
      }),
    );
    expect(twice).toBe(true);
    const never = await notices("answeredOnce", (engine) =>
      eachCall(engine, (call) => {
        call.attemptFailed = () => {};
      }),
    );
    expect(never).toBe(true);
  });

  it("sees more ejected than policy allows", async () => {
    const seen = await notices("ejection", (engine) =>
      otherPolicy(engine, ({ outlier, ...policy }) => ({
        ...policy,
        ...(outlier && { outlier: { ...outlier, maxEjectionRatio: 1 } }),
      })),
    );
    expect(seen).toBe(true);
  });

  it("sees breakers that open or probe before their time", async () => {
    const hasty = (change: Partial<BreakerPolicy>, from: number) => {
      const hurry = (engine: Engine): void =>
        otherPolicy(engine, ({ breaker, ...policy }) => ({
          ...policy,
          ...(breaker && { breaker: { ...breaker, ...change } }),
        }));
      return notices("breaker", hurry, { from });
    };
    expect(await hasty({ openMs: 1 }, 4)).toBe(true);
    expect(await hasty({ minRequests: 1 }, 16)).toBe(true);
  });

  it("sees deadlines that nobody keeps", async () => {
    const seen = await notices("deadlines", ({ wheel }) => {
      const add = wheel.add.bind(wheel);
      wheel.add = (node, at) => add(node, at + 30);
    });
    expect(seen).toBe(true);
  });

  it("sees calls that do not wait for what the registry is about to tell", async () => {
    const impatient = (engine: Engine): void =>
      eachCluster(engine, (cluster) => {
        cluster.lookUp = () => undefined;
      });
    expect(await notices("membership", impatient, { options: { ...SHORT, lazy: true } })).toBe(true);
  });

  it("sees more under way than policy allows", async () => {
    const seen = await notices("limits", (engine) =>
      eachCluster(engine, ({ limits }) => void Object.defineProperty(limits, "full", { get: () => false })),
    );
    expect(seen).toBe(true);
  });
});
