import { describe, expect, it } from "vitest";
import { requestsView } from "../admin/requests-view.js";
import { statsView } from "../admin/traffic-view.js";
import { InboundContext } from "../call/context.js";
import { answers, refuses } from "../testing/behaviour.js";
import type { FakeRoute, FakeSnapshotSpec } from "../testing/fake-snapshot.js";
import { type TestCallOptions, testEngine } from "../testing/test-engine.js";
import type { WatchedRequest } from "./rehearsal.js";

const A = "10.0.0.1:80";
const INBOUND = { requests: 0, failures: 0, inFlight: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0 };
const CLUSTERS = { reviews: [A], canary: [A] };

/** A mesh in mode observe: plain routes in force, `route` beside them. */
function observed(route: FakeRoute, policy: Partial<FakeSnapshotSpec> = {}): FakeSnapshotSpec {
  return {
    clusters: CLUSTERS,
    mode: "observe",
    hosts: { reviews: [{ observed: true, retry: { on: ["connect-failure"] } }] },
    withPolicy: { clusters: CLUSTERS, hosts: { reviews: [route] }, ...policy },
  };
}

function setup(route: FakeRoute, policy?: Partial<FakeSnapshotSpec>) {
  const made = testEngine(observed(route, policy));
  const { engine, clock, send } = made;
  return {
    ...made,
    would: () => engine.rehearsal.read()[0],
    /** One call to its end, and what would have been. */
    async told(options?: TestCallOptions) {
      const { exchange } = send("reviews", options);
      await clock.advanceAsync(2_000);
      return [exchange.events.join(), requestsView(engine, 1).requests[0]?.would?.text];
    },
  };
}

describe("a mesh in mode observe", () => {
  it.each<[string, FakeRoute, string]>([
    ["nothing", {}, "the same"],
    [
      "an abort",
      { fault: { delayRatio: 1, delayMs: 50, abortRatio: 1, abortStatus: 418 } },
      "delayed on purpose by 50 ms; aborted on purpose with 418 by the default route",
    ],
    [
      "a redirect",
      { action: { kind: "redirect", status: 301, location: () => "/" } },
      "redirected with 301 by the default route",
    ],
    ["an answer", { action: { kind: "directResponse", status: 200, body: "" } }, "answered 200 by the default route"],
    ["another way", { to: "canary" }, "sent to canary"],
    ["a missing destination", { to: "nowhere" }, "refused with 503: nowhere does not exist"],
    [
      "changes of the request",
      {
        rewrite: { path: () => "/v2", authority: "inner" },
        requestHeaders: { remove: ["x-gone"], set: [["x-set", "secret"]], add: [["x-add", "1"]] },
        timeoutMs: 500,
      },
      "path /v2; host inner; header x-set, x-add, x-inmesh-timeout-ms set; header x-gone removed",
    ],
  ])("sends the request as it is and tells of %s", async (_, route, text) => {
    const { network, told } = setup(route);
    const headers = ["x-gone", "1", "x-keep", "k"];
    expect(await told({ path: "/a?b=c", headers })).toEqual(["head 200,end", text]);
    const [written] = network.written;
    expect([written?.headers, written?.call.path, written?.call.authority]).toEqual([headers, "/a?b=c", "reviews"]);
  });

  it("counts what would have been, each kind apart", async () => {
    const fault = { delayRatio: 0, delayMs: 0, abortRatio: 0.3, abortStatus: 503 };
    const { send, clock, would, engine } = setup({ fault, to: "canary" });
    const calls = Array.from({ length: 2_000 }, () => send("reviews"));
    clock.advance(10);
    expect(new Set(calls.map(({ call }) => call.status))).toEqual(new Set([200]));
    const { host, calls: counted, changed, aborted = 0, rerouted } = would() ?? {};
    expect([host, counted, changed, rerouted]).toEqual(["reviews", 2_000, 2_000, 2_000 - aborted]);
    expect(Math.abs(aborted / 2_000 - 0.3)).toBeLessThan(0.03);
    expect(statsView(engine, { service: "web", namespace: "shop", inbound: INBOUND }).would).toHaveLength(1);
  });

  it("tells when the rule would have tried again or given up, and does neither", async () => {
    const { network, told, would } = setup({ timeoutMs: 100, retry: { on: ["5xx"], perTryTimeoutMs: 0 } });
    network.script(A, answers(503, { afterMs: 150 }));
    expect(await told()).toEqual([
      "head 503,end",
      "header x-inmesh-timeout-ms set; tried again (5xx); timed out after 100 ms",
    ]);
    expect(await told({ method: "POST" })).toEqual([
      "head 503,end",
      "header x-inmesh-timeout-ms set; timed out after 100 ms",
    ]);
    network.script(A, refuses());
    expect((await told())[1]).toMatch(/tried again \(5xx\)/);
    expect(would()).toMatchObject({ retried: 2, timedOut: 2, calls: 3 });
    expect(network.written).toHaveLength(2);
  });

  it("tells of a perTryTimeout that an answer overtook", async () => {
    const { network, told } = setup({ retry: { on: ["reset"], perTryTimeoutMs: 100 } });
    network.script(A, answers(200, { afterMs: 150 }));
    expect(await told()).toEqual(["head 200,end", "header x-inmesh-timeout-ms set; tried again (reset)"]);
  });

  it("neither inherits a deadline nor passes headers on, and says that it would", () => {
    const { engine, network, prepare, clock } = setup({});
    const { call } = prepare("reviews");
    engine.contexts.run(new InboundContext(engine.clock.now() + 1, ["traceparent", "00-t"]), () => engine.start(call));
    clock.advance(100);
    expect([call.status, network.written[0]?.headers]).toEqual([200, []]);
    expect(requestsView(engine, 1).requests[0]?.would?.setHeaders).toEqual(["traceparent"]);
  });

  it("counts hosts that it passes on although policy would answer or refuse them", () => {
    const answer: FakeRoute = { action: { kind: "directResponse", status: 204, body: undefined } };
    const { engine } = setup({}, { hosts: { virtual: [answer] }, outboundPolicy: "REGISTRY_ONLY" });
    expect([engine.rehearsal.covers("virtual", 80), engine.rehearsal.covers("unknown", 80)]).toEqual([true, true]);
    for (const host of ["virtual", "unknown"]) engine.rehearsal.passed(watched({ host }));
    expect(engine.rehearsal.read()).toMatchObject([
      { host: "virtual", answered: 1, refused: 0 },
      { host: "unknown", answered: 0, refused: 1 },
    ]);
    expect(setup({}).engine.rehearsal.covers("unknown", 80)).toBe(false);
  });

  it("does nothing of it in mode on and off", async () => {
    for (const mode of ["on", "off"] as const) {
      const { engine, send, clock, store } = testEngine({ clusters: CLUSTERS, mode });
      send("reviews");
      clock.advance(10);
      expect(engine.rehearsal.read()).toEqual([]);
      expect(requestsView(engine).requests.map(({ would }) => would)).toEqual([null]);
      expect(engine.describe(store.current!.routes.all()[0]!.routes[0]!).map(({ role }) => role)).not.toContain(
        "rehearse",
      );
    }
  });
});

function watched(part: Partial<WatchedRequest> = {}): WatchedRequest {
  const request = { method: "GET", scheme: "http", host: "reviews", port: 80, authority: "reviews", path: "/" };
  return { ...request, loopback: false, headers: [], ...part };
}

describe("a process that was started to observe", () => {
  const fault = { delayRatio: 0, delayMs: 0, abortRatio: 1, abortStatus: 503 };
  const process = (spec: FakeSnapshotSpec = { clusters: CLUSTERS, hosts: { reviews: [{ fault }] } }) =>
    testEngine(spec, { onlyObserves: true, excludes: (host) => host === "db" });

  it("takes no request, and tells of those it watches", () => {
    const { engine, clock, publish } = process();
    expect(engine.excludes("reviews", 80)).toBe(true);
    const watch = engine.rehearsal.watch(watched({ path: "/a?secret" }), {});
    clock.advance(20);
    watch?.answered(200, () => undefined);
    clock.advance(10);
    watch?.ended();
    watch?.ended(new Error("told twice"));
    expect(requestsView(engine).requests).toMatchObject([
      { path: "/a", status: 200, error: "", durationMs: 30, cluster: "reviews", attempts: [], would: { status: 503 } },
    ]);
    expect(engine.clusters.all()[0]?.stats.read()).toMatchObject({ calls: 1, failures: 0, inFlight: 0 });
    publish({ clusters: CLUSTERS, mode: "off" });
    expect(engine.rehearsal.watch(watched(), {})).toBeUndefined();
    publish(observed({ fault }));
    expect(engine.rehearsal.watch(watched(), {})).toBeDefined();
  });

  it("watches a request once, whoever hears of it", () => {
    const { engine } = process();
    const key = {};
    expect(engine.rehearsal.watch(watched(), key)).toBeDefined();
    expect(engine.rehearsal.watch(watched(), key)).toBeUndefined();
  });

  it("has nothing to say of hosts that are excluded, unknown, or on this machine", () => {
    const { engine, publish } = process();
    expect(engine.rehearsal.watch(watched({ host: "db" }), {})).toBeUndefined();
    expect(engine.rehearsal.watch(watched({ host: "unknown" }), {})).toBeUndefined();
    publish({ outboundPolicy: "REGISTRY_ONLY" });
    expect(engine.rehearsal.watch(watched({ host: "localhost", loopback: true }), {})).toBeUndefined();
    engine.rehearsal.watch(watched({ host: "unknown" }), {})?.ended();
    expect(engine.rehearsal.read()).toMatchObject([{ host: "unknown", refused: 1 }]);
  });

  it.each([
    ["ECONNREFUSED", "GET", 1],
    ["ECONNREFUSED", "POST", 0],
    ["ENOTFOUND", "GET", 0],
    ["ECONNRESET", "GET", 0],
  ])("would try again after %s of a %s: %s", (code, method, retried) => {
    const { engine } = process({ clusters: CLUSTERS, hosts: { reviews: [{ retry: { on: ["connect-failure"] } }] } });
    engine.rehearsal.watch(watched({ method }), {})?.ended(Object.assign(new Error("failed"), { code }));
    expect(engine.rehearsal.read()).toMatchObject([{ calls: 1, retried }]);
    expect(engine.clusters.all()[0]?.stats.read()).toMatchObject({ failures: 1, aborted: 0 });
  });

  it("counts a request that its caller gave up as given up", () => {
    const { engine } = process();
    engine.rehearsal.watch(watched(), {})?.ended(new DOMException("given up", "AbortError"));
    expect(engine.clusters.all()[0]?.stats.read()).toMatchObject({ failures: 0, aborted: 1 });
  });

  it("keeps a bounded number of hosts apart", () => {
    const { engine } = process({ outboundPolicy: "REGISTRY_ONLY" });
    for (let n = 0; n < 1_000; n++) engine.rehearsal.watch(watched({ host: `h${n}` }), {})?.ended();
    const read = engine.rehearsal.read();
    expect([read.length, read.reduce((sum, { calls }) => sum + calls, 0)]).toEqual([257, 1_000]);
  });
});
