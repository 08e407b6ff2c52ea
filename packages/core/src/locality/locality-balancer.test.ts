import type { Locality, LocalityPolicy, TrafficPolicy } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { clustersView } from "../admin/traffic-view.js";
import { balancerContract } from "../balance/balancer.contract.js";
import { LeastRequest } from "../balance/least-request.js";
import { seededRandom } from "../runtime/random.js";
import { answers } from "../testing/behaviour.js";
import type { FakeRoute } from "../testing/fake-snapshot.js";
import { testEngine } from "../testing/test-engine.js";
import { LocalityBalancer } from "./locality-balancer.js";

function place(text: string): Locality {
  const [region = "", zone = "", subZone = ""] = text.split("/");
  return { region, zone, subZone };
}

const OWN = place("eu/eu-1/a");
const FAILOVER: LocalityPolicy = { kind: "failover", labels: [], nearness: { own: OWN } };
const ZONES: LocalityPolicy = { kind: "zoneAware", minClusterSize: 6, labels: [], nearness: { own: OWN } };
const distribute = (to: Readonly<Record<string, number>>): LocalityPolicy => ({
  kind: "distribute",
  shares: Object.entries(to).map(([each, ratio]) => ({ to: place(each), ratio })),
});

/** One group only: everything that a strategy promises holds below localities. */
balancerContract("LocalityBalancer", ({ random }) => {
  const make = () => new LeastRequest({ random });
  return new LocalityBalancer(FAILOVER, { random, make, clientZones: () => undefined });
});

/** So many endpoints in each locality: `10.0.<place>.<number>`. */
function setup(places: Readonly<Record<string, number>>, policy: Partial<TrafficPolicy>, route: FakeRoute = {}) {
  const endpoints = Object.entries(places).flatMap(([where, count], at) =>
    Array.from({ length: count }, (_, index) => ({
      id: `10.0.${at}.${index}:80`,
      ...(where !== "nowhere" && { locality: place(where) }),
    })),
  );
  const spec = { clusters: { a: { endpoints, policy } }, hosts: { a: [route] } };
  const test = testEngine(spec, { seed: 11 });
  const names = Object.keys(places);
  /** Percent of the calls that go to each place. */
  const shares = (calls = 4_000): readonly number[] => {
    const counts = names.map(() => 0);
    for (let n = 0; n < calls; n++) {
      const { exchange } = test.send("a");
      const at = Number(exchange.attempts[0]?.endpoint.endpoint.id.split(".")[2]);
      counts[at]! += 1; // one for each place
      test.clock.advance(1);
    }
    return counts.map((count) => (count * 100) / calls);
  };
  /** The first `count` of a place are ejected for long; a change of policy makes it known. */
  const out = (at: number, count: number): void => {
    const ofPlace = test.engine.clusters
      .all()[0]!
      .states.filter(({ endpoint }) => endpoint.id.startsWith(`10.0.${at}.`)); // it was called
    for (const state of ofPlace.slice(0, count)) state.outlierUntil = Number.POSITIVE_INFINITY;
    test.publish({ ...spec, clusters: { a: { endpoints, policy: { ...policy, loadBalancer: "random" } } } });
  };
  return { ...test, shares, out, endpoints, spec };
}

describe("localities", () => {
  it.each<[string, LocalityPolicy, readonly number[]]>([
    ["stay as near as possible", FAILOVER, [100, 0, 0, 0]],
    ["are shared out as written", distribute({ "eu/eu-1": 0.7, "us/us-1/": 0.3 }), [14, 56, 0, 30]],
    ["leave out who is not written", distribute({ us: 1 }), [0, 0, 0, 100]],
  ])("%s, within 3 points", (_, locality, wanted) => {
    // Two localities of the zone share it by their endpoints: 1 and 4.
    const { shares } = setup({ "eu/eu-1/a": 1, "eu/eu-1/b": 4, "eu/eu-2/a": 3, "us/us-1/a": 3 }, { locality });
    for (const [index, share] of shares().entries()) expect(Math.abs(share - wanted[index]!)).toBeLessThan(3);
  });

  it("spill over when fewer than 71 % of the nearest are left, and come back", () => {
    const { shares, out, engine } = setup({ "eu/eu-1/a": 10, "eu/eu-2/a": 10 }, { locality: FAILOVER });
    expect(shares(500)).toEqual([100, 0]);
    out(0, 5);
    const [near = 0] = shares();
    expect(Math.abs(near - 70)).toBeLessThan(3);
    expect(clustersView(engine).clusters[0]?.balancing?.groups).toEqual([
      { name: "rank 0 (eu/eu-1)", share: 0.7, endpoints: 10, usable: 5 },
      { name: "rank 1 (eu/eu-2)", share: 0.3, endpoints: 10, usable: 10 },
    ]);
  });

  it("of one rank share its calls by their weights, as far as each is well, where the order is written", () => {
    const places = { "eu/eu-1/a": 4, "eu/eu-1/b": 8, "us/us-1/a": 4 };
    const locality: LocalityPolicy = {
      kind: "failover",
      labels: [{ name: "none", value: "" }],
      weighsLocalities: true,
    };
    const { shares, out, engine } = setup(places, { locality });
    shares(1);
    out(1, 4); // half of it: 0.7 of its weight of 8 counts
    const found = shares();
    const wanted = [4, 5.6, 4].map((weight) => (weight * 100) / 13.6);
    for (const [index, share] of found.entries()) expect(Math.abs(share - wanted[index]!)).toBeLessThan(3);
    expect(clustersView(engine).clusters[0]?.balancing?.groups?.map(({ name }) => name)).toEqual([
      "rank 0, eu/eu-1/a",
      "rank 0, eu/eu-1/b",
      "rank 0, us/us-1/a",
    ]);
  });

  it("that get no calls from here are said when nobody else is left", () => {
    const { send, clock } = setup({ "eu/eu-1/a": 2, nowhere: 1 }, { locality: distribute({ us: 1 }) });
    const { call } = send("a");
    clock.advance(1);
    expect(call.status).toBe(503);
    expect((call.error as Error).message).toContain(
      "none of its 3 endpoints in use is in a locality that localityLbSetting.distribute",
    );
  });

  it("that get no calls from here are said when nobody is well, either", () => {
    const { send, clock, out } = setup({ "eu/eu-1/a": 2 }, { locality: distribute({ us: 1 }) });
    send("a");
    out(0, 2); // all of them: a panic
    const { call } = send("a");
    clock.advance(1);
    expect(call.error).toMatchObject({ code: "NO_ENDPOINT" });
    expect(String(call.error)).toContain("none of its 2 endpoints in use is in a locality that localityLbSetting");
  });

  it("prefer the client's zone as far as it bears its part, when it is not known where its peers run", () => {
    const { shares } = setup({ "eu/eu-1/a": 2, "eu/eu-2/a": 6, "us/us-1/a": 4 }, { locality: ZONES });
    const [home = 0, next = 0, far = 0] = shares();
    expect(Math.abs(home - 50)).toBeLessThan(3); // a quarter of the endpoints for half of the clients
    expect([Math.round(home + next), far]).toEqual([100, 0]);
  });

  it("prefer no zone in a small cluster", () => {
    const { shares } = setup({ "eu/eu-1/a": 1, "eu/eu-2/a": 3 }, { locality: ZONES });
    expect(Math.abs(shares()[0]! - 25)).toBeLessThan(3);
  });

  it("know the client's peers by the endpoints of its own service", () => {
    const { publish, spec, shares, store } = setup({ "eu/eu-1/a": 2, "eu/eu-2/a": 6 }, { locality: ZONES });
    const peers = Array.from({ length: 4 }, (_, index) => ({
      id: `10.1.0.${index}:80`,
      locality: place(index === 0 ? "eu/eu-1/a" : "eu/eu-2/a"),
    }));
    shares(1);
    publish({
      ...spec,
      client: "web",
      clusters: { ...spec.clusters, "outbound|80||web": { endpoints: peers, host: "web" } },
    });
    expect(store.current?.client.service).toBe("web");
    expect(shares(1_000)[0]).toBe(100); // a quarter of the endpoints for a quarter of the clients
  });

  it("stay those of a call with a hash", () => {
    const random = seededRandom(1);
    const make = () => new LeastRequest({ random });
    const balancer = new LocalityBalancer(distribute({ eu: 0.5, us: 0.5 }), {
      random,
      make,
      clientZones: () => undefined,
    });
    const { endpoints, engine, send } = setup({ "eu/eu-1/a": 1, "us/us-1/a": 1 }, {});
    send("a");
    const states = engine.clusters.all()[0]!.states;
    balancer.update(states, states);
    const placesOf = (hash: bigint) =>
      new Set(Array.from({ length: 50 }, () => balancer.pick(0, { hash })?.endpoint.id));
    expect(placesOf(1_234_549n)).toEqual(new Set([endpoints[0]!.id]));
    expect(placesOf(1_234_550n)).toEqual(new Set([endpoints[1]!.id]));
  });

  it("are left by retries after two attempts in them, where the rule says so", async () => {
    for (const retryRemoteLocalities of [false, true]) {
      const retry = { on: ["503"], maxAttempts: 4, backoffBaseMs: 1, retryRemoteLocalities };
      const { network, send, clock } = setup({ "eu/eu-1/a": 5, "us/us-1/a": 5 }, { locality: FAILOVER }, { retry });
      network.script("*", answers(503));
      const { exchange } = send("a");
      await clock.advanceAsync(1_000);
      const places = exchange.attempts.map(({ endpoint }) => endpoint.endpoint.locality?.region);
      expect(places).toEqual(["eu", "eu", ...(retryRemoteLocalities ? ["us", "us"] : ["eu", "eu"])]);
    }
  });
});
