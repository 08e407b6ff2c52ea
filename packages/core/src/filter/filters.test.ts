import { describe, expect, it } from "vitest";
import type { MeshError } from "../errors.js";
import { OUTBOUND } from "../stack/outbound.js";
import { answers, silent } from "../testing/behaviour.js";
import { type FakeRoute, fakeRoute } from "../testing/fake-snapshot.js";
import { testEngine } from "../testing/test-engine.js";

const A = "10.0.0.1:80";

function setup(route: FakeRoute, seed = 1) {
  return testEngine({ clusters: { reviews: [A], other: [A] }, hosts: { reviews: [route] } }, { seed });
}

describe("stages", () => {
  it("that policy does not need are not in the stack", () => {
    const { engine } = setup({});
    const made = OUTBOUND.filter((stage) => stage.make(fakeRoute("reviews"), engine) !== undefined);
    expect(made.map(({ role }) => role)).toEqual(["destination"]);
  });

  it("of a redirect are its answer alone", () => {
    const { engine } = setup({});
    const route = fakeRoute("reviews", {
      action: { kind: "redirect", status: 301, location: () => "/" },
      timeoutMs: 100,
      retry: { on: ["5xx"] },
    });
    const made = OUTBOUND.filter((stage) => stage.make(route, engine) !== undefined);
    expect(made.map(({ role }) => role)).toContain("localAnswer");
    expect(made.map(({ role }) => role)).not.toContain("destination");
  });
});

describe("statistics", () => {
  it("count a rule's calls under its statPrefix, whoever answers them, and go on with the next snapshot", () => {
    const routes = [
      { statPrefix: "whole", to: "reviews" },
      { statPrefix: "moved", action: { kind: "redirect", status: 301, location: () => "/" } },
    ] as const;
    const mesh = testEngine({ clusters: { reviews: [A] }, hosts: { reviews: [routes[0]] } });
    mesh.network.script(A, answers(503));
    mesh.send("reviews");
    mesh.clock.advance(10);
    mesh.publish({ clusters: { reviews: [A] }, hosts: { reviews: [routes[0]], other: [routes[1]] } });
    mesh.send("reviews");
    mesh.send("other");
    const before = mesh.engine.ruleStats.read().map(({ stats }) => stats.inFlight);
    mesh.clock.advance(10);
    const read = mesh.engine.ruleStats.read();
    expect(before).toEqual([1, 0]);
    expect(read.map(({ host, statPrefix, stats }) => [host, statPrefix, stats.calls, stats.failures])).toEqual([
      ["reviews:80", "whole", 2, 2],
      ["other:80", "moved", 1, 0],
    ]);
    expect(read.map(({ stats }) => stats.inFlight)).toEqual([0, 0]);
  });
});

describe("destination", () => {
  it("sends nothing where policy wants TLS that cannot be had", () => {
    const resource = { kind: "DestinationRule", namespace: "shop", name: "reviews" };
    const source = { resource, path: "spec.trafficPolicy.tls" };
    const tls = { mode: "MUTUAL", refusal: "mode MUTUAL", source } as const;
    const { send, clock, network } = testEngine({ clusters: { reviews: { endpoints: [A], tls } } });
    const { call } = send("reviews");
    clock.advance(10);
    expect([call.status, (call.error as MeshError).code, network.written.length]).toEqual([503, "TLS_UNAVAILABLE", 0]);
    expect((call.error as MeshError).message).toContain(
      'DestinationRule/shop/reviews spec.trafficPolicy.tls asks for TLS to "reviews" by mode MUTUAL',
    );
  });
});

describe("fault", () => {
  const faults = (fault: Partial<NonNullable<FakeRoute["fault"]>>) => ({
    fault: { delayRatio: 0, delayMs: 0, abortRatio: 0, abortStatus: 503, ...fault },
  });

  it.each([0.05, 0.3, 0.9])("aborts %s of the calls within 3 points, without sending them", (abortRatio) => {
    const { send, clock, network } = setup(faults({ abortRatio, abortStatus: 418 }));
    const calls = Array.from({ length: 3_000 }, () => send("reviews"));
    clock.advance(10);
    const aborted = calls.filter(({ call }) => call.status === 418).length;
    expect(Math.abs(aborted / 3_000 - abortRatio)).toBeLessThan(0.03);
    expect(network.written).toHaveLength(3_000 - aborted);
  });

  it("draws delay and abort independently, within 3 points", () => {
    const { send, clock } = setup(faults({ delayRatio: 0.4, delayMs: 100, abortRatio: 0.25 }));
    const calls = Array.from({ length: 4_000 }, () => send("reviews"));
    clock.advance(50);
    const delayed = calls.filter(({ call }) => !call.ended);
    expect(Math.abs(delayed.length / 4_000 - 0.4)).toBeLessThan(0.03);
    clock.advance(100);
    const both = delayed.filter(({ call }) => call.status === 503).length;
    expect(Math.abs(both / delayed.length - 0.25)).toBeLessThan(0.03);
  });

  it("is never retried when it aborts, nor bounded by the timeout when it delays", async () => {
    const { send, clock, network } = setup({
      ...faults({ delayRatio: 1, delayMs: 500, abortRatio: 1 }),
      timeoutMs: 100,
      retry: { on: ["5xx", "503"] },
    });
    const { call, exchange } = send("reviews");
    await clock.advanceAsync(499);
    expect(exchange.events).toEqual([]);
    await clock.advanceAsync(1);
    expect(exchange.events).toEqual(["fail FAULT_ABORTED"]);
    expect([call.fault, call.attempts, network.written.length, clock.pending]).toEqual([-1, 0, 0, 0]);
    expect((exchange.error as MeshError).message).toBe(
      'rule "default" aborts 100% of its requests with 503 on purpose. The call was not sent. See: inmesh routes reviews (FAULT_ABORTED)',
    );
  });

  it("leaves timeout and retries to the calls it spares", async () => {
    const { send, clock, network } = setup({ ...faults({ delayRatio: 1, delayMs: 500 }), timeoutMs: 100 });
    network.script(A, silent());
    const { call, exchange } = send("reviews");
    await clock.advanceAsync(1_000);
    expect(exchange.events).toEqual(["fail TIMEOUT"]);
    expect([call.fault, Math.round((call.endedAt - 600) / 4)]).toEqual([500, 0]);
  });

  it("counts an aborted call as a failure of the cluster it would have gone to", () => {
    const { send, engine } = setup(faults({ abortRatio: 1 }));
    send("reviews");
    const [cluster] = engine.clusters.all();
    expect(cluster!.stats.read()).toMatchObject({ calls: 1, failures: 1, inFlight: 0 });
    expect([cluster!.states[0]!.attempts, engine.unrouted]).toEqual([0, 0]); // no endpoint is to blame
  });

  it("aborts a call to a cluster that does not exist like any other", () => {
    const { send, engine } = setup({ ...faults({ abortRatio: 1 }), to: "nowhere" });
    expect([send("reviews").exchange.events, engine.unrouted]).toEqual([["fail FAULT_ABORTED"], 1]);
  });

  it("aborts with a gRPC status as HTTP 200", () => {
    const { send } = setup(faults({ abortRatio: 1, abortStatus: 0, abortGrpcStatus: "UNAVAILABLE" }));
    expect(send("reviews").call.status).toBe(200);
  });
});

describe("destination", () => {
  it("splits by weight, within 3 points", () => {
    const { send } = testEngine({
      clusters: { v1: [A], v2: [A], v3: [A] },
      hosts: { reviews: [{ to: { v1: 70, v2: 25, v3: 5 } }] },
    });
    const drawn = Array.from({ length: 4_000 }, () => send("reviews").call.destination!.cluster);
    const share = (name: string): number => drawn.filter((each) => each === name).length / 4_000;
    expect(Math.abs(share("v1") - 0.7)).toBeLessThan(0.03);
    expect(Math.abs(share("v2") - 0.25)).toBeLessThan(0.03);
    expect(Math.abs(share("v3") - 0.05)).toBeLessThan(0.03);
  });

  it.each([0, 1, 50])("sends everything to the only one, whatever its weight of %s", (weight) => {
    const { send } = testEngine({ clusters: { v1: [A] }, hosts: { reviews: [{ to: { v1: weight } }] } });
    expect(send("reviews").call.destination!.cluster).toBe("v1");
  });

  it("is drawn once per call: retries stay there", async () => {
    const { send, clock, network } = testEngine({
      clusters: { v1: ["10.0.0.1:80"], v2: ["10.0.0.2:80"] },
      hosts: { reviews: [{ to: { v1: 50, v2: 50 }, retry: { on: ["5xx"], maxAttempts: 4 } }] },
    });
    network.script("*", answers(503));
    for (let n = 0; n < 20; n++) {
      const { exchange } = send("reviews");
      await clock.advanceAsync(2_000);
      expect(new Set(exchange.attempts.map(({ endpoint }) => endpoint.endpoint.id)).size).toBe(1);
      expect(exchange.attempts).toHaveLength(4);
    }
  });
});

describe("rewrite", () => {
  const ops = (name: string) => ({
    remove: [`x-${name}-gone`],
    set: [["x-set", name]] as const,
    add: [["x-add", name]] as const,
  });

  it("changes headers, path and authority once, before the first attempt", async () => {
    const { send, clock, network } = setup({
      rewrite: { path: (path) => path.replace("/api", "/v2"), authority: "reviews.internal" },
      requestHeaders: ops("route"),
      retry: { on: ["5xx"], maxAttempts: 2 },
    });
    network.script(A, answers(503));
    const { call } = send("reviews", {
      path: "/api/7?q=/api",
      headers: ["X-Set", "old", "x-route-gone", "1", "x-keep", "k"],
    });
    await clock.advanceAsync(1_000);
    expect([call.path, call.authority]).toEqual(["/v2/7?q=/api", "reviews.internal"]);
    const added = ["x-keep", "k", "x-set", "route", "x-add", "route", "x-envoy-original-path", "/api/7?q=/api"];
    expect(network.written.map(({ headers }) => headers)).toEqual([
      added,
      [...added, "x-envoy-attempt-count", "2", "x-inmesh-attempts-spent", "1"],
    ]);
  });

  // A single destination's operations are compiled into the route's, so only several can differ.
  it("lets the route's operations come after the drawn destination's and win, in request and answer", () => {
    const destination = {
      cluster: "reviews",
      host: "reviews",
      port: 80,
      subset: "",
      weight: 1,
      requestHeaders: ops("destination"),
      responseHeaders: ops("destination"),
    };
    const { send, network } = setup({
      action: { kind: "forward", destinations: [destination, destination], totalWeight: 2 },
      requestHeaders: ops("route"),
      responseHeaders: ops("route"),
    });
    const { call } = send("reviews");
    const { headers } = network.written[0]!;
    expect(headers[headers.indexOf("x-set") + 1]).toBe("route");
    expect(call.responseOps.map(({ set }) => set[0]![1])).toEqual(["destination", "route"]);
  });

  it("leaves a call without operations alone", () => {
    const { send } = setup({});
    const { call } = send("reviews", { headers: ["a", "b"] });
    expect([call.responseOps, call.attempt!.headers]).toEqual([[], call.headers]);
  });
});

describe("localAnswer", () => {
  it("redirects without asking anybody", () => {
    const { send, network, engine } = setup({
      action: { kind: "redirect", status: 308, location: ({ path }) => `https://new${path}` },
      responseHeaders: { remove: [], set: [["x-by", "mesh"]], add: [] },
    });
    const { call, exchange } = send("reviews", { path: "/a?b" });
    expect(exchange.localReply).toEqual({
      status: 308,
      headers: ["location", "https://new/a?b", "x-by", "mesh"],
      body: undefined,
    });
    expect([exchange.events, call.status, call.ended, network.written.length, engine.unrouted]).toEqual([
      ["reply 308"],
      308,
      true,
      0,
      1,
    ]);
  });

  it("answers directly, with or without a body", () => {
    const reply = (body: string | undefined) =>
      setup({ action: { kind: "directResponse", status: 503, body } }).send("reviews").exchange.localReply;
    expect(reply("closed")).toEqual({ status: 503, headers: ["content-type", "text/plain"], body: "closed" });
    expect(reply(undefined)).toEqual({ status: 503, headers: [], body: undefined });
  });
});
