/**
 * A whole mesh on a fake clock, a fake network and seeded chance: services, callers, faults, stalls, churn and changes of
 * policy, all drawn from one seed. What must hold whatever happens is checked after every event. The same seed is the
 * same run, event by event (docs/design/2026-11-27-simulation.md).
 */

import { Engine, SnapshotStore } from "@inmesh/core";
import { loadOpossum } from "@inmesh/core/internal";
import { FakeResolver } from "@inmesh/core/testing";
import { Draw } from "./draw.js";
import { ENDPOINT_FAULTS, EVENTS, type FaultKind, scheduleFaults } from "./fault.js";
import { Fleet } from "./fleet.js";
import { Load } from "./load.js";
import { MeshView } from "./mesh-view.js";
import { Monitor } from "./monitor.js";
import { SimNetwork } from "./sim-network.js";
import { SimProber } from "./sim-prober.js";
import { type Violation, World } from "./world.js";

export interface SimulationOptions {
  /** Callers call and faults happen for this long, in simulated ms; what is under way then goes on to its end. @default 2_000 */
  readonly durationMs?: number;
  /** @default drawn, 30 to 300 */
  readonly callsPerSecond?: number;
  /** @default drawn, 1 to 3 */
  readonly services?: number;
  /** The registry tells instances only of services in use. @default drawn, in a quarter of the runs */
  readonly lazy?: boolean;
  /** What may go wrong. @default everything */
  readonly faults?: readonly FaultKind[];
  /** Is given the engine before anything happens: to observe it, or to break it and see it noticed. */
  readonly prepare?: (engine: Engine) => void;
}

export interface SimulationReport {
  readonly seed: number;
  /** Empty when every invariant held. */
  readonly violations: readonly Violation[];
  /** Every event in order, with its simulated ms. */
  readonly trace: readonly string[];
  readonly calls: number;
  /** Calls that got an answer below 500. */
  readonly successes: number;
  /** Attempts that reached an endpoint, copies included. */
  readonly attempts: number;
}

/** By which everything that was begun has ended, in simulated ms after the load: Retry-After, perhaps of several attempts, is the longest. */
const PATIENCE_MS = 200_000;
/** Longer than anything that an engine remembers by a timer when nobody calls: that its event loop is watched. */
const IDLE_MS = 10_000;

/** Numbers of the streams of chance. */
const STREAM = { shape: 0, fleet: 1, policy: 2, faults: 3, network: 4, load: 5, engine: 6, prober: 7, registry: 8 };

export async function simulate(seed: number, options: SimulationOptions = {}): Promise<SimulationReport> {
  const draw = (stream: number): Draw => new Draw(seed, stream);
  const shape = draw(STREAM.shape);
  const {
    services = shape.whole(1, 3),
    callsPerSecond = shape.oneOf([30, 100, 300]),
    durationMs = 2_000,
    faults = [...ENDPOINT_FAULTS, ...EVENTS],
    prepare,
  } = options;

  const registry = draw(STREAM.registry);
  const { lazy = registry.chance(0.25) } = options;

  const world = new World();
  const { clock } = world;
  const monitor = new Monitor();
  const fleet = new Fleet(draw(STREAM.fleet), services);
  const store = new SnapshotStore({ clock });
  const network = new SimNetwork({ world, fleet, draw: draw(STREAM.network), listener: monitor });
  const prober = new SimProber(world, fleet, draw(STREAM.prober));
  const engine = new Engine({
    store,
    clock,
    random: draw(STREAM.engine).random,
    resolver: new FakeResolver(clock),
    instance: "simulated",
    healthProber: prober,
    onUse({ service }) {
      world.note(`${service} is used`);
      // Now and then later than a call waits for a connection.
      world.later(registry.chance(0.9) ? registry.ms(1, 80) : registry.ms(8_000, 12_000), () => view.tell(service));
    },
    onHealth: (message) => world.note(message),
    onBreaker: (message) => {
      world.note(message);
      monitor.breakerChanged();
    },
  });
  const view = new MeshView({ world, fleet, draw: draw(STREAM.policy), store, lazy });
  await Promise.all([engine.xxHash.load(), loadOpossum()]); // takes real time, which a simulation has none of
  prepare?.(engine);

  const publish = (): void => view.publish();
  if (shape.chance(0.8)) publish();
  else world.later(shape.ms(1, 300), publish);
  scheduleFaults({
    world,
    fleet,
    draw: draw(STREAM.faults),
    durationMs,
    kinds: faults,
    onChurn: publish,
    onPolicy: () => view.change(),
  });
  const load = new Load({ world, fleet, draw: draw(STREAM.load), network, view, engine, durationMs, callsPerSecond });
  monitor.watch({ world, engine, network, view, load, prober });

  while (!(load.over && network.open.size === 0 && world.own === 0) && clock.now() < durationMs + PATIENCE_MS) {
    if (clock.pending === 0) break; // whoever waits now waits for ever
    await step(world, monitor);
  }
  monitor.drained();
  clock.advance(IDLE_MS);
  monitor.idle();
  engine.close();
  await turn();
  monitor.closed();
  const { calls } = load;
  return {
    seed,
    violations: world.violations,
    trace: world.trace,
    calls: calls.length,
    successes: calls.filter(({ exchange: { code, status } }) => code === "" && status < 500).length,
    attempts: network.written,
  };
}

/** One timer and all that follows from it. Promises settle where something happened: most timers are ticks that find nothing to do. */
async function step({ clock, trace }: World, monitor: Monitor): Promise<void> {
  const { held } = clock;
  const { length } = trace;
  clock.step();
  if (clock.held === held && trace.length === length) return;
  await turn();
  monitor.settled();
}

/** Lets every promise that can settle now do so: all microtasks come before the next immediate. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
