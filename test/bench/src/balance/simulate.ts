/** One strategy over one fleet, in simulated time: the balancers of the engine, seeded chance, no sockets. */

import { type Random, seededRandom } from "@inmesh/core";
import {
  type Balancer,
  type BalancingPolicy,
  createBalancer,
  EndpointState,
  XxHashLoader,
} from "@inmesh/core/internal";
import { FakeClock } from "@inmesh/core/testing";
import { type Fleet, type SimulatedServer, startServer } from "./fleet.js";

export interface Simulation {
  readonly fleet: Fleet;
  readonly policy: BalancingPolicy;
  /** Share of what the fleet could do that is asked of it, 0–1. */
  readonly utilisation: number;
  /** @default 10 */
  readonly clients?: number;
  readonly seed: number;
}

export interface SimulationResult {
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Percent of the requests that failed. */
  readonly failedPercent: number;
  /** The busiest server's time at work over the average one's. */
  readonly skew: number;
}

/** Mean time of a request on a server of pace 1, exponentially distributed, in ms. */
const SERVICE_MS = 10;
const DURATION_MS = 40_000;
/** Requests before this time are not counted: what happens from the 10th second on is what fleets differ in. */
const WARM_UP_MS = 10_000;
const FAILURE_MS = 1;

interface Client {
  readonly balancer: Balancer;
  states: EndpointState[];
}

export function simulate({ fleet, policy, utilisation, clients = 10, seed }: Simulation): SimulationResult {
  const random = seededRandom(seed);
  const clock = new FakeClock();
  const servers = new Map<string, SimulatedServer>();
  const everybody = new Map<string, SimulatedServer>();
  const add = (index: number, name: string): void => {
    const server = startServer(fleet, index, name, clock.now(), random);
    servers.set(name, server);
    everybody.set(name, server);
  };
  for (let index = 0; index < fleet.size; index++) add(index, `10.0.0.${index}:80`);
  const made = Array.from({ length: clients }, (_, index) =>
    makeClient(policy, seededRandom(seed * 1_000 + index), clock, index),
  );
  const tellAll = (): void => {
    for (const client of made) tell(client, [...servers.keys()], clock.now());
  };
  tellAll();
  if (fleet.replaceEveryMs !== undefined) {
    let replaced = 0;
    clock.every(fleet.replaceEveryMs, () => {
      const [oldest] = servers.keys();
      servers.delete(oldest!); // never empty
      replaced += 1;
      add(replaced % fleet.size, `10.0.1.${replaced}:80`);
      tellAll();
    });
  }
  const latencies: number[] = [];
  const work = new Map<SimulatedServer, number>();
  let failed = 0;
  const perMs = (capacity([...everybody.values()]) * utilisation) / SERVICE_MS;
  const arrive = (): void => {
    if (clock.now() < DURATION_MS) clock.after(exponential(random) / perMs, arrive);
    const { balancer } = made[random.int(made.length)]!; // in range
    const state = balancer.pick(clock.now(), { hash: undefined })!; // never empty
    const server = everybody.get(state.endpoint.id)!; // all that ever were
    const startedAt = clock.now();
    state.inFlight += 1;
    server.inFlight += 1;
    const fails = server.fails(startedAt);
    const serviceMs = fails ? FAILURE_MS : exponential(random) * SERVICE_MS * server.pace(startedAt);
    server.freeAt = Math.max(server.freeAt, startedAt) + serviceMs;
    clock.after(server.freeAt - startedAt, () => {
      const now = clock.now();
      state.inFlight -= 1;
      server.inFlight -= 1;
      balancer.observe?.(state, now - startedAt, fails ? "failure" : "success", now);
      if (startedAt < WARM_UP_MS) return;
      work.set(server, (work.get(server) ?? 0) + serviceMs);
      if (fails) failed += 1;
      else latencies.push(now - startedAt);
    });
  };
  arrive();
  while (clock.pending > 0 && clock.now() < 2 * DURATION_MS) clock.advance(1_000);
  latencies.sort((a, b) => a - b);
  const at = (quantile: number): number => latencies[Math.floor(quantile * (latencies.length - 1))] ?? 0;
  const atWork = [...work.values()];
  return {
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    failedPercent: (failed * 100) / (failed + latencies.length),
    skew: Math.max(...atWork) / (atWork.reduce((sum, each) => sum + each, 0) / atWork.length),
  };
}

function makeClient(policy: BalancingPolicy, random: Random, clock: FakeClock, index: number): Client {
  const options = {
    clock,
    random,
    xxHash: new XxHashLoader(),
    instance: `client-${index}`,
    clientZones: () => undefined,
  };
  return { balancer: createBalancer(policy, options), states: [] };
}

/** Its endpoints from now on; those that stay keep what is known of them. */
function tell(client: Client, ids: readonly string[], now: number): void {
  const known = new Map(client.states.map((state) => [state.endpoint.id, state]));
  client.states = ids.map(
    (id) =>
      known.get(id) ??
      new EndpointState({ id, address: "10.0.0.1", port: 80, weight: 1, labels: {}, workloads: [] }, now),
  );
  client.balancer.update(client.states, client.states);
}

/** Requests that the fleet can serve in the time of one, as it is at the beginning. */
function capacity(servers: readonly SimulatedServer[]): number {
  return servers.reduce((sum, server) => sum + 1 / server.pace(0), 0);
}

function exponential(random: Random): number {
  return -Math.log(1 - random.next());
}
