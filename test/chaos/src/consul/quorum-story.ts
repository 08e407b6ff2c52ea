/**
 * The registry loses its leader, then its quorum, comes back, and at last the machine's own agent forgets everything; all
 * the while requests come at a steady rate, and none may fail.
 */

import { setTimeout as delay } from "node:timers/promises";
import type { ConsulBinary } from "@inmesh-test/consul/peer";
import type { FromCaller, Load } from "../messages.js";
import { guarded } from "../policy.js";
import { MIX } from "../scenario/scenario.js";
import { type Caller, Stage } from "../stage.js";
import type { Tally } from "../tally.js";
import { Observer } from "./observer.js";
import { buildTown, type Post, type Town } from "./town.js";

export interface QuorumForm {
  readonly perSecond: number;
  /** How long there is no quorum, in ms. */
  readonly withoutQuorumMs: number;
}

export interface QuorumStory {
  /** Of the caller that asks the machine's agent, and of the one that asks the server which is killed first. */
  readonly tallies: readonly Tally[];
  /** In words, in order. */
  readonly events: readonly string[];
  /** From the first good write to when both callers are fresh, and have what was written, in ms. */
  readonly convergenceMs: number;
  /** From the agent's return with nothing to when all instances are registered with it again, in ms. */
  readonly registeredAgainMs: number;
  /** The fewest endpoints that a caller had, once it had all. */
  readonly fewestEndpoints: number;
  /** What came to one agent or server, and how many processes ask there. */
  readonly busiest: readonly {
    readonly who: string;
    readonly processes: number;
    /** Most requests in any second. */
    readonly perSecond: number;
    /** Requests a second of one watch, over the ten seconds in which it asked most. */
    readonly ofOneWatch: number;
  }[];
  /** What does not hold. */
  readonly broken: readonly string[];
  /** Of these, what may not be on any machine. */
  readonly never: readonly string[];
}

const NAMESPACE = "shop";
/** Times LIMITS: what is slow is the machine, which carries four Consuls as well, and timeouts are not the subject here. */
const PATIENCE = 7;
const BACKENDS = 3;
/** Of the issue. */
const MOST = { convergenceMs: 5_000, registeredAgainMs: 10_000 } as const;
/** Of the issue: of one watch, that is of one path asked by one process, over any ten seconds. */
const MOST_PER_SECOND = 2;
const WINDOW_MS = 10_000;
const FOREVER_S = 180;

const marker = `
apiVersion: v1
kind: Namespace
metadata: { name: after-the-return }
`;

export async function quorumStory(
  binary: ConsulBinary,
  form: QuorumForm,
  say: (event: string) => void = () => {},
): Promise<QuorumStory> {
  await using town = await buildTown(binary, NAMESPACE);
  await town.apply(guarded(form.perSecond, PATIENCE));
  await using stage = await Stage.open({ backends: BACKENDS, policy: "", registry: town.agent.config });
  const leader = postOf(town, await town.servers.leader());
  const near = await stage.startCaller({ CHAOS_SEEN: "1", INMESH_CONFIG: town.agent.config, INMESH_STATE_DIR: "" });
  const far = await stage.startCaller({ CHAOS_SEEN: "1", INMESH_CONFIG: leader.config });
  const events: string[] = [];
  const startedAt = performance.now();
  const note = (text: string): void => {
    const event = `${((performance.now() - startedAt) / 1_000).toFixed(1)} s: ${text}`;
    events.push(event);
    say(event);
  };

  const third = Math.round(form.perSecond / 3);
  const loads = [
    await begin(stage, near, { name: "near", perSecond: form.perSecond - third, seconds: FOREVER_S, ...MIX }),
    await begin(stage, far, { name: "far", perSecond: third, seconds: FOREVER_S, ...MIX }),
  ];
  const observers = loads.map(({ adminUrl }) => new Observer(adminUrl, "shelf"));
  const broken: string[] = [];
  const holds = async <T>(what: Promise<T>): Promise<T | undefined> =>
    what.catch((error: Error) => void broken.push(error.message));
  const all = (what: string, fits: Parameters<Observer["sees"]>[2], since: number, withinMs: number) =>
    holds(Promise.all(observers.map((observer) => observer.sees(since, what, fits, withinMs))));
  try {
    await all(
      "fresh registry with all endpoints",
      ({ state, endpoints }) => state === "fresh" && endpoints === BACKENDS,
      0,
      10_000,
    );
    const settledAt = performance.now();
    note(`${BACKENDS} backends, two callers, ${form.perSecond} requests/s`);

    await delay(1_000);
    await leader.consul.kill();
    const killedAt = performance.now();
    note(`kill -9 of the leader, ${leader.consul.node}, whom one caller asks`);
    await holds(
      observers[1]!.sees(
        killedAt,
        "staleness at the caller of the server that was killed",
        ({ state }) => state === "stale",
        10_000,
      ),
    );
    const stale = observers[1]!.first(killedAt, ({ state }) => state === "stale");
    note(`its caller says: ${stale?.reason}`);
    await holds(until("another leader", async () => (await town.servers.leader()) !== leader.consul, 10_000));
    const second = await town.servers.leader().catch(() => town.servers.servers.find(({ running }) => running)!);
    note(`${second.node} leads`);

    await delay(1_000);
    await second.kill();
    const lostAt = performance.now();
    note(`kill -9 of ${second.node}: no quorum`);
    await delay(form.withoutQuorumMs);
    await holds(
      observers[0]!.sees(
        lostAt,
        "sign that the servers have no leader",
        ({ lagMs, state }) => state === "stale" || lagMs > 1_000,
        15_000,
      ),
    );
    note(`the other caller says: ${describe(observers[0]!)}`);

    const askedBefore = performance.now();
    leader.consul.start();
    second.start();
    await holds(until("a good write", () => town.apply(marker).then(() => true), 40_000));
    const backAt = performance.now();
    note(`both are back, a write succeeds ${Math.round(backAt - askedBefore)} ms after their start`);
    const fresh = await all(
      "fresh registry with what was written",
      ({ state, resources }) => state === "fresh" && resources.includes(MARKER),
      backAt,
      20_000,
    );
    const convergenceMs = Math.max(0, ...(fresh ?? []).map(({ at }) => at - backAt));
    note(`both callers are fresh and have it after ${Math.round(convergenceMs)} ms`);

    await town.agent.consul.restart({ forgetful: true });
    const forgotAt = performance.now();
    note("the machine's agent is restarted with nothing");
    await holds(
      until("all instances registered again", async () => (await registered(town.agent)) === BACKENDS, 20_000),
    );
    const registeredAgainMs = performance.now() - forgotAt;
    note(`all instances are registered again after ${Math.round(registeredAgainMs)} ms`);
    await all(
      "fresh registry in the end",
      ({ state, endpoints }) => state === "fresh" && endpoints === BACKENDS,
      performance.now(),
      15_000,
    );
    await delay(1_000);

    for (const { finish } of loads) finish();
    const tallies = await Promise.all(loads.map(({ tally }) => tally));
    const fewestEndpoints = Math.min(
      ...observers.flatMap(({ sights }) =>
        sights.filter(({ at }) => at >= settledAt).map(({ endpoints }) => endpoints),
      ),
    );
    const busiest = [town.agent, ...town.posts].map((post) => {
      const processes = post === town.agent ? BACKENDS + 1 : post === leader ? 1 : 0;
      const requests = post.relay.since(settledAt);
      const paths = new Set(requests.map(({ path }) => path));
      const ofPath = [...paths].map((path) =>
        mostWithin(
          WINDOW_MS,
          requests.filter((each) => each.path === path),
        ),
      );
      return {
        ...{ who: post.consul.node, processes, perSecond: mostWithin(1_000, requests) },
        ofOneWatch: Math.max(0, ...ofPath) / (WINDOW_MS / 1_000) / Math.max(1, processes),
      };
    });
    const never = [
      ...tallies.flatMap(({ lies }) => lies.slice(0, 3)),
      ...tallies.flatMap(({ name, postsExecutedTwice: twice }) =>
        twice > 0 ? [`${name}: ${twice} POSTs were carried out twice`] : [],
      ),
      ...(fewestEndpoints < BACKENDS ? [`a caller had ${fewestEndpoints} endpoints of ${BACKENDS}`] : []),
    ];
    const slow = (what: string, ms: number, most: number): string[] =>
      ms > most ? [`${what} after ${Math.round(ms)} ms`] : [];
    return {
      ...{ tallies, events, convergenceMs, registeredAgainMs, fewestEndpoints, busiest, never },
      broken: [
        ...broken,
        ...never,
        ...tallies.flatMap(({ name, all: { sent, ok }, reasons }) =>
          ok === sent ? [] : [`${name}: ${sent - ok} of ${sent} calls failed: ${[...reasons].join("; ")}`],
        ),
        ...slow("converged", convergenceMs, MOST.convergenceMs),
        ...slow("registered again", registeredAgainMs, MOST.registeredAgainMs),
        ...busiest.flatMap(({ who, ofOneWatch }) =>
          ofOneWatch <= MOST_PER_SECOND ? [] : [`a watch asked ${who} ${ofOneWatch.toFixed(1)} times a second`],
        ),
      ],
    };
  } finally {
    for (const observer of observers) await observer[Symbol.asyncDispose]();
  }
}

const MARKER = "Namespace/after-the-return/after-the-return";

interface Running {
  readonly adminUrl: string;
  readonly tally: Promise<Tally>;
  finish(): void;
}

async function begin(stage: Stage, caller: Caller, load: Load): Promise<Running> {
  const heard = caller.hear(
    (message): message is Extract<FromCaller, { type: "mesh" }> =>
      message.type === "mesh" && message.load === load.name,
  );
  const tally = stage.run(caller, load);
  tally.catch(() => {}); // said by whoever awaits it
  const { adminUrl } = await heard;
  return { adminUrl, tally, finish: () => caller.send({ type: "finish", load: load.name }) };
}

function postOf(town: Town, consul: Post["consul"]): Post {
  return town.posts.find((post) => post.consul === consul)!; // it is one of them
}

/** Instances that the agent itself has, and that the servers show as well. */
async function registered({ consul }: Post): Promise<number> {
  const own = (await consul.must("GET", "/v1/agent/services")) as Record<string, { readonly Service: string }>;
  const shown = (await consul.must("GET", "/v1/health/service/shelf?passing")) as readonly unknown[];
  return Math.min(Object.values(own).filter(({ Service }) => Service === "shelf").length, shown.length);
}

function describe({ last }: Observer): string {
  return last === undefined ? "nothing" : `${last.state}, ${last.lagMs} ms behind${last.reason && `: ${last.reason}`}`;
}

function mostWithin(windowMs: number, requests: readonly { readonly at: number }[]): number {
  let most = 0;
  let from = 0;
  for (const [index, { at }] of requests.entries()) {
    while ((requests[from]?.at ?? at) <= at - windowMs) from += 1;
    most = Math.max(most, index - from + 1);
  }
  return most;
}

async function until(what: string, holds: () => Promise<boolean>, withinMs: number): Promise<void> {
  for (const deadline = performance.now() + withinMs; ; await delay(50)) {
    if (await holds().catch(() => false)) return;
    if (performance.now() > deadline) throw new Error(`no ${what} within ${withinMs} ms`);
  }
}
