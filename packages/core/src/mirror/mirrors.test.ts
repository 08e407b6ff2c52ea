import type { MirrorPolicy } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { requestsView, statsView } from "../admin/index.js";
import { InboundContext } from "../call/context.js";
import { answers, cuts, refuses, silent } from "../testing/behaviour.js";
import type { FakeExchange } from "../testing/fake-network.js";
import type { FakeRoute, FakeSnapshotSpec } from "../testing/fake-snapshot.js";
import { testEngine } from "../testing/test-engine.js";
import { MIRROR_TIMEOUT_MS, MOST_IN_FLIGHT } from "./mirrors.js";

const A = "10.0.0.1:80";
const B = "10.0.0.2:80";

function to(cluster: string, ratio = 1, field = "mirror"): MirrorPolicy {
  return { destination: { cluster, host: cluster, port: 80, subset: "", weight: 100 }, ratio, field };
}

function setup(route: FakeRoute = {}, { seed = 1, clusters = {} as FakeSnapshotSpec["clusters"] } = {}) {
  const notices: string[] = [];
  const made = testEngine(
    {
      clusters: { reviews: [A], canary: [B], empty: [], ...clusters },
      hosts: { reviews: [{ mirrors: [to("canary")], ...route }] },
    },
    { seed, onNotice: (message) => void notices.push(message), address: () => "10.9.9.9" },
  );
  const stats = () => {
    const { mirrors, outbound } = statsView(made.engine, { service: "web", namespace: "shop", inbound: NO_INBOUND });
    return { mirrors: mirrors!, outbound };
  };
  return { ...made, notices, stats };
}

const NO_INBOUND = { requests: 0, failures: 0, inFlight: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0 };

/** What the first copy of a request says on the wire, as the endpoint sees it. */
function copySeen(exchange: FakeExchange): Record<string, string> {
  const attempt = exchange.mirrors[0]!.attempts[0]!;
  const { headers, call } = attempt;
  const pairs = headers.flatMap((name, at) => (at % 2 === 0 ? [[name, headers[at + 1]!]] : []));
  return { ":method": call.method, ":path": call.path, ":authority": call.authority, ...Object.fromEntries(pairs) };
}

describe("a mirror", () => {
  it("gets a copy once, beside the request", () => {
    const { send, clock, network, stats } = setup();
    const { call, exchange } = send("reviews", { path: "/a?b=1", headers: ["accept", "x"] });
    clock.advance(10);
    expect(exchange.events).toEqual(["head 200", "end"]);
    expect([network.seen(A), network.seen(B), call.attempts]).toEqual([1, 1, 1]);
    expect(copySeen(exchange)).toEqual({
      ...{ ":method": "GET", ":path": "/a?b=1", ":authority": "reviews-shadow", accept: "x" },
      "x-envoy-internal": "true",
      "x-forwarded-for": "10.9.9.9",
      "x-inmesh-mirrored": "1",
      "x-inmesh-timeout-ms": String(MIRROR_TIMEOUT_MS),
    });
    expect(stats().mirrors).toMatchObject([{ cluster: "canary", stats: { calls: 1, successes: 1, inFlight: 0 } }]);
  });

  it("says what the rewritten request says, and adds itself to the way it came", () => {
    const { send, clock } = setup({
      rewrite: { path: () => "/v2", authority: "internal:8080" },
      requestHeaders: { remove: ["x-gone"], set: [["x-set", "s"]], add: [] },
    });
    const { exchange } = send("reviews", { path: "/v1", headers: ["X-Gone", "1", "X-Forwarded-For", "1.2.3.4"] });
    clock.advance(10);
    expect(copySeen(exchange)).toMatchObject({
      ...{ ":path": "/v2", ":authority": "internal-shadow:8080", "x-set": "s", "x-envoy-original-path": "/v1" },
      "x-forwarded-for": "1.2.3.4,10.9.9.9",
    });
    expect(copySeen(exchange)).not.toHaveProperty("X-Gone");
  });

  it("is none of the request's statistics, last requests or endpoints", () => {
    const { send, clock, engine, stats, network } = setup({}, { clusters: {} });
    network.script(B, answers(503));
    const heard: unknown[] = [];
    engine.observe({ callEnded: (call) => void heard.push(call) });
    const { call } = send("reviews");
    clock.advance(10);
    expect(heard).toEqual([call]);
    expect([call.status, call.attempts, call.noRetry]).toEqual([200, 1, undefined]);
    const byCluster = Object.fromEntries(stats().outbound.map(({ cluster, ...rest }) => [cluster, rest]));
    expect(byCluster["reviews"]!.stats).toMatchObject({ calls: 1, failures: 0 });
    expect(byCluster["canary"]!.stats).toMatchObject({ calls: 0, failures: 0, inFlight: 0 });
    expect(byCluster["canary"]!.endpoints).toMatchObject([{ attempts: 0, failures: 0 }]);
    expect(stats().mirrors).toMatchObject([{ cluster: "canary", stats: { calls: 1, failures: 1 } }]);
    const { requests, mirrors } = requestsView(engine);
    expect(requests.map(({ cluster, status }) => [cluster, status])).toEqual([["reviews", 200]]);
    expect(mirrors!.map(({ cluster, status, authority }) => [cluster, status, authority])).toEqual([
      ["canary", 503, "reviews-shadow"],
    ]);
    expect(engine.unrouted).toBe(0);
  });

  it.each([
    ["refuses", refuses()],
    ["hangs", silent()],
    ["fails", answers(500, { afterMs: 900 })],
    ["answers at once", answers(200, { afterMs: 0 })],
    ["breaks off", cuts()],
  ])("that %s changes nothing for the request", (_, behaviour) => {
    const { send, clock, network } = setup({ retry: { on: ["5xx", "connect-failure"] } });
    network.script(B, behaviour);
    const { exchange, call } = send("reviews");
    clock.advance(2);
    expect(exchange.events).toEqual(["head 200", "end"]);
    expect([call.endedAt - call.startedAt <= 2, call.error, call.attempts]).toEqual([true, undefined, 1]);
    clock.advance(MIRROR_TIMEOUT_MS + 100);
    expect([network.open, clock.pending]).toEqual([0, 0]);
    expect(exchange.mirrors[0]!.attempts).toHaveLength(1); // no retries
  });

  it("ends with the rule's timeout, or with its own where the rule has none", () => {
    for (const [timeoutMs, limit] of [
      [200, 200],
      [0, MIRROR_TIMEOUT_MS],
    ] as const) {
      const { send, clock, network, engine, stats } = setup({ timeoutMs });
      network.script(B, silent());
      send("reviews");
      clock.advance(limit - 10);
      expect(stats().mirrors[0]!.stats).toMatchObject({ calls: 0, inFlight: 1 });
      clock.advance(20);
      expect(stats().mirrors[0]!.stats).toMatchObject({ calls: 1, failures: 1, inFlight: 0 });
      expect(engine.mirrors.recorder.read()[0]!.code).toBe("TIMEOUT");
      expect([network.open, engine.wheel.size]).toEqual([0, 0]);
    }
  });

  it("is over with the head of its answer, which nobody gets", () => {
    const { send, clock, network, stats } = setup();
    network.script(B, answers(200, { bodyMs: 60_000 }));
    const { exchange } = send("reviews");
    clock.advance(5);
    expect([network.open, exchange.mirrors[0]!.events]).toEqual([0, []]);
    expect(stats().mirrors[0]!.stats).toMatchObject({ calls: 1, successes: 1, inFlight: 0 });
  });

  it("is sent once for a request that is retried, and goes on when the caller went away", async () => {
    const { send, clock, network } = setup({ retry: { on: ["5xx"], backoffBaseMs: 1 } });
    network.script(A, (attempt) => answers(attempt.number < 3 ? 503 : 200));
    const { call } = send("reviews");
    await clock.advanceAsync(50);
    expect([call.attempts, network.seen(B)]).toEqual([3, 1]);

    network.script(B, answers(200, { afterMs: 100 }));
    network.script(A, silent());
    const aborted = send("reviews");
    clock.advance(1);
    aborted.call.abort(new Error("caller"));
    clock.advance(200);
    expect(aborted.exchange.mirrors[0]!.attempts[0]!.status).toBe(200);
  });

  it.each([0.001, 0.1, 0.5, 0.97])("gets %s of 10,000 requests, within four standard deviations", (ratio) => {
    const { send, clock, network } = setup({ mirrors: [to("canary", ratio)] }, { seed: 7 });
    for (let n = 0; n < 10_000; n++) {
      send("reviews");
      if (n % 100 === 0) clock.advance(5);
    }
    clock.advance(5);
    const deviation = Math.sqrt(10_000 * ratio * (1 - ratio));
    expect(Math.abs(network.seen(B) - 10_000 * ratio)).toBeLessThan(4 * deviation);
    expect(network.seen(A)).toBe(10_000);
  });

  it("draws for each of several by itself", () => {
    const mirrors = [to("canary", 0.5, "mirrors[0]"), to("other", 0.5, "mirrors[1]")];
    const { send, clock, stats } = setup({ mirrors }, { clusters: { other: [B] } });
    const seen = { both: 0, none: 0 };
    for (let n = 0; n < 4_000; n++) {
      const { exchange } = send("reviews");
      clock.advance(2);
      if (exchange.mirrors.length === 2) seen.both += 1;
      if (exchange.mirrors.length === 0) seen.none += 1;
    }
    expect(Math.abs(seen.both - 1_000)).toBeLessThan(120);
    expect(Math.abs(seen.none - 1_000)).toBeLessThan(120);
    expect(stats().mirrors.map(({ cluster }) => cluster)).toEqual(["canary", "other"]);
  });
});

describe("no copy is sent", () => {
  it("to a cluster that does not exist: counted, and said once", () => {
    const { send, clock, stats, notices } = setup({ mirrors: [to("nowhere")] });
    const sent = [send("reviews"), send("reviews")];
    clock.advance(10);
    expect(sent.map(({ exchange }) => exchange.status)).toEqual([200, 200]);
    expect(stats().mirrors).toMatchObject([
      { cluster: "nowhere", stats: { calls: 0, inFlight: 0 }, skipped: { unknownCluster: 2 } },
    ]);
    expect(notices).toEqual([
      'mirror of rule "default" mirrors to "nowhere", which does not exist: no such service, port or subset. No copy is sent; the requests themselves are. See: inmesh analyze',
    ]);
  });

  it("in plaintext where policy wants TLS", () => {
    const { send, clock, stats, notices, network } = setup(
      { mirrors: [to("safe")] },
      { clusters: { safe: { endpoints: [B], tls: { mode: "MUTUAL", refusal: "mode MUTUAL" } } } },
    );
    expect(send("reviews").exchange.mirrors).toEqual([]);
    clock.advance(10);
    expect([network.seen(A), network.seen(B), notices.length]).toEqual([1, 0, 1]);
    expect(stats().mirrors[0]!.skipped).toEqual({ tlsUnavailable: 1 });
  });

  it("of a request that is itself not sent", () => {
    for (const [to, code] of [
      ["empty", "NO_ENDPOINT"],
      ["nowhere", "CLUSTER_NOT_FOUND"],
    ] as const) {
      const { send, clock, network, stats } = setup({ to });
      expect(send("reviews").exchange.events).toEqual([`fail ${code}`]);
      clock.advance(10);
      expect([network.written, stats().mirrors[0]?.stats.inFlight]).toEqual([[], 0]);
    }
  });

  it("of a request whose answer is a fault's", () => {
    const { send, clock, network } = setup({
      fault: { delayRatio: 0, delayMs: 0, abortRatio: 1, abortStatus: 503 },
    });
    send("reviews");
    clock.advance(10);
    expect(network.written).toEqual([]);
  });

  it("of a copy, nor of what is called on its behalf", () => {
    const { engine, prepare, clock, network } = setup();
    const inContext = (forward: readonly string[], host = "reviews") => {
      const { call, exchange } = prepare(host);
      engine.contexts.run(new InboundContext(Number.POSITIVE_INFINITY, forward), () => engine.start(call));
      clock.advance(10);
      return exchange;
    };
    expect(inContext(["x-request-id", "1"]).mirrors).toHaveLength(1);
    const onBehalf = inContext(["x-inmesh-mirrored", "1"]);
    expect(onBehalf.mirrors).toEqual([]);
    expect(onBehalf.attempts[0]!.headers).toEqual(["x-inmesh-mirrored", "1"]); // and nor are their calls
    const passedOn = prepare("reviews");
    passedOn.call.authority = "reviews-shadow:80";
    engine.start(passedOn.call);
    clock.advance(10);
    expect(passedOn.exchange.mirrors).toEqual([]);
    expect(network.seen(A)).toBe(3);
  });

  it("by word of the application: it cannot say that a request is a copy", () => {
    const { send } = setup();
    const { exchange } = send("reviews", { headers: ["X-Inmesh-Mirrored", "1"] });
    expect([exchange.mirrors.length, exchange.attempts[0]!.headers]).toEqual([1, []]);
  });

  it("beyond what may be under way, and again when there is room", () => {
    const { send, clock, network, stats } = setup({ timeoutMs: 1_000 });
    network.script(B, silent());
    for (let n = 0; n < MOST_IN_FLIGHT + 5; n++) send("reviews");
    clock.advance(10);
    expect(network.seen(A)).toBe(MOST_IN_FLIGHT + 5);
    expect(stats().mirrors[0]).toMatchObject({ stats: { inFlight: MOST_IN_FLIGHT }, skipped: { overloaded: 5 } });
    clock.advance(2_000);
    send("reviews");
    expect(stats().mirrors[0]!.stats).toMatchObject({ inFlight: 1, calls: MOST_IN_FLIGHT });
  });

  it("before its body is whole, nor of one that never is", () => {
    const { send, clock, network, stats } = setup();
    const late = send("reviews", { method: "POST", replayable: false }).exchange.mirrors[0]!;
    const lost = send("reviews", { method: "POST", replayable: false }).exchange.mirrors[0]!;
    clock.advance(10);
    expect([network.seen(B), stats().mirrors[0]!.stats.inFlight]).toEqual([0, 2]);
    late.finish?.(undefined);
    lost.finish?.("bodyTooLarge");
    clock.advance(10);
    expect(network.seen(B)).toBe(1);
    expect(stats().mirrors[0]).toMatchObject({ stats: { calls: 1, inFlight: 0 }, skipped: { bodyTooLarge: 1 } });
  });

  it("after the mesh was closed, and those under way end", () => {
    const { send, clock, network, engine } = setup();
    network.script(B, silent());
    const waiting = send("reviews", { replayable: false }).exchange.mirrors[0]!;
    send("reviews");
    clock.advance(10);
    expect(network.open).toBe(1);
    engine.close();
    waiting.finish?.(undefined);
    clock.advance(10);
    expect([network.open, network.seen(B), clock.pending]).toEqual([0, 1, 0]);
  });
});

it("is told of, and nothing more, where mode observe keeps it from happening", () => {
  const { send, clock, network, engine, publish } = setup();
  publish({
    mode: "observe",
    clusters: { reviews: [A], canary: [B] },
    hosts: { reviews: [{ observed: true }] },
    withPolicy: { clusters: { reviews: [A], canary: [B] }, hosts: { reviews: [{ mirrors: [to("canary")] }] } },
  });
  const { call } = send("reviews");
  clock.advance(10);
  expect([network.seen(A), network.seen(B)]).toEqual([1, 0]);
  expect(engine.rehearsal.read()).toMatchObject([{ calls: 1, changed: 1, mirrored: 1 }]);
  expect(requestsView(engine).requests[0]!.would).toMatchObject({ text: "copied to canary", mirrors: ["canary"] });
  expect(call.status).toBe(200);
});
